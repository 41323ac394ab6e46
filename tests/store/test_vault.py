"""The vault: what it seals opens in one place only, and its secret is never made anew over an old database."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import CaptureError, SettingsError
from capture.sealing.keys import SigningKey
from capture.store.vault import Vault, load_vault, make_folder

PLACE = "requests.details/abc"
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(value=values)
def test_what_is_sealed_opens(vault: Vault, value: object) -> None:
    """Any JSON value comes back as it was, and never looks the same twice."""
    sealed = vault.seal(value, PLACE)
    assert vault.open(sealed, PLACE) == value
    assert sealed != vault.seal(value, PLACE)


@pytest.mark.parametrize("place", ["requests.details/abd", "requests.answers/abc", "photos.facts/abc", ""])
def test_a_value_that_was_moved_does_not_open(vault: Vault, place: str) -> None:
    """A value sealed to one row and column opens in no other; the error names the column and not the row."""
    sealed = vault.seal({"label": "Mrs Ada Byron"}, PLACE)
    with pytest.raises(CaptureError) as caught:
        vault.open(sealed, place)
    assert "abc" not in caught.value.sentence
    assert "var/keys/secret" in (caught.value.hint or "")


def test_a_value_that_was_altered_does_not_open(vault: Vault) -> None:
    """A flipped bit anywhere, a byte less, a byte more or nothing at all is told, always by the same error."""
    sealed = vault.seal("Mrs Ada Byron", PLACE)
    flipped = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    shorter = [sealed[:size] for size in range(len(sealed))]
    for altered in (*flipped, *shorter, sealed + b"\0"):
        with pytest.raises(CaptureError, match="does not open"):
            vault.open(altered, PLACE)


def test_another_secret_opens_nothing(vault: Vault) -> None:
    """What one service sealed no other opens, and each purpose has a key of its own."""
    other = Vault(os.urandom(32))
    with pytest.raises(CaptureError, match="does not open"):
        other.open(vault.seal(1, PLACE), PLACE)
    keys = {one.derive(purpose) for one in (vault, other) for purpose in ("fields", "pepper", "cookies", "recipients")}
    assert len(keys) == 8
    assert {len(key) for key in keys} == {32}


def test_a_date_of_birth_is_stored_as_argon2id_with_a_pepper(vault: Vault) -> None:
    """The hash is Argon2id with 64 MiB, salted, bound to its row, and useless without the service's secret (SECURITY 4)."""
    stored = vault.hash_secret("1980-03-31", "request")
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$", stored)
    assert stored != vault.hash_secret("1980-03-31", "request")
    assert vault.check_secret(stored, "1980-03-31", "request")
    assert not vault.check_secret(stored, "1980-03-30", "request")
    assert not vault.check_secret(stored, "1980-03-31", "another request")
    assert not Vault(os.urandom(32)).check_secret(stored, "1980-03-31", "request")


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=65536,t=3,p=4$x"])
def test_no_hash_is_no_secret(vault: Vault, stored: str | None) -> None:
    """Where no hash is stored, or something else, every answer is no."""
    assert not vault.check_secret(stored, "1980-03-31", "request")
    assert not vault.check_secret(stored, "", "")


def test_a_mac_has_a_key_for_each_purpose(vault: Vault) -> None:
    """The same text under another purpose or another secret has another MAC."""
    other = Vault(b"k" * 32)
    macs = {vault.mac("recipients", "a"), vault.mac("recipients", "b"), vault.mac("x", "a"), other.mac("recipients", "a")}
    assert len(macs) == 4
    assert vault.mac("recipients", "a") in macs


def test_a_secret_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    """The first start makes 32 random bytes that nobody else can read; every later one reads the same."""
    first = load_vault(tmp_path / "keys", may_create=True)
    path = tmp_path / "keys" / "secret"
    assert len(path.read_bytes()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert load_vault(tmp_path / "keys", may_create=True).derive("x") == first.derive("x")
    SigningKey.generate().save(tmp_path / "keys" / "signing.key")
    assert load_vault(tmp_path / "keys", may_create=False).derive("x") == first.derive("x")


def test_a_lost_secret_is_never_made_anew(tmp_path: Path) -> None:
    """With a database that depends on them, missing keys stop the start with a hint, and none is made."""
    with pytest.raises(SettingsError) as caught:
        load_vault(tmp_path / "keys", may_create=False)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        str(tmp_path / "keys" / name) for name in ("secret", "signing.key")
    ]
    assert "restore" in (caught.value.hint or "")
    assert not (tmp_path / "keys" / "secret").exists()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_secret_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    """A file that was cut or padded is no secret."""
    (tmp_path / "secret").write_bytes(b"s" * size)
    with pytest.raises(SettingsError, match="32 bytes"):
        load_vault(tmp_path, may_create=True)


def test_a_folder_that_cannot_be_made_is_a_settings_error(tmp_path: Path) -> None:
    """Where a file stands in the way of a folder, the error names it and says what to do."""
    (tmp_path / "var").write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be made") as caught:
        make_folder(tmp_path / "var" / "keys")
    assert caught.value.hint

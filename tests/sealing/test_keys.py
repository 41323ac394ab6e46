"""Keys: bech32, recipients and identities, fingerprints, identity files, the signing key."""

import base64
import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import AgeError, SettingsError
from capture.sealing import bech32
from capture.sealing.files import write_new
from capture.sealing.keys import (
    Identity,
    Recipient,
    SigningKey,
    VerifyingKey,
    parse_identity_file,
    write_identity_file,
)
from tests.needs import program

# BIP 173, test vectors. The one over 90 characters is invalid there and valid here, for age sets no limit.
BECH32_VALID = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
]
BECH32_INVALID = [
    "\x201nwldj5",
    "\x7f1axkwrx",
    "\x801eym55h",
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "de1lg7wt\xff",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
    "a12UEL5L",
    "",
]
# From C2SP age.md, which prints its recipient as well.
PUBLISHED_IDENTITY = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
WHEN = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", BECH32_VALID)
def test_published_bech32_is_read(text: str) -> None:
    """Every valid vector of BIP 173 is read, in either case, and its prefix told."""
    prefix, words = bech32.decode_words(text)
    assert prefix == text.lower().rpartition("1")[0]
    assert len(words) == len(text) - len(prefix) - 7


@pytest.mark.parametrize("text", BECH32_INVALID)
def test_published_broken_bech32_is_refused(text: str) -> None:
    """Every vector that BIP 173 calls invalid is refused, but for its limit on length."""
    with pytest.raises(ValueError, match="bech32: "):
        bech32.decode(text)


@given(st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=20), st.binary(max_size=1300))
def test_bech32_round_trips(prefix: str, data: bytes) -> None:
    """Any bytes of any length come out as they went in."""
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)
    assert bech32.decode(bech32.encode(prefix, data).upper()) == (prefix, data)


@pytest.mark.parametrize("words", [[0], [0] * 3, [0, 1], [31] * 10 + [1]])
def test_bech32_padding_is_strict(words: list[int]) -> None:
    """Five spare bits, or padding that is not zero, would give one key two spellings."""
    stuffed = [*words, *[0] * 6]
    checksum = bech32._polymod([*bech32._expand("x"), *stuffed]) ^ 1
    text = "x1" + "".join(bech32._CHARACTERS[word] for word in [*words, *(checksum >> 5 * (5 - i) & 31 for i in range(6))])
    bech32.decode_words(text)
    with pytest.raises(ValueError, match="padding"):
        bech32.decode(text)


def test_published_identity_is_read_and_written() -> None:
    """The identity that the age specification prints keeps its spelling, and has the recipient printed with it."""
    identity = Identity.parse(PUBLISHED_IDENTITY)
    assert identity.to_text() == PUBLISHED_IDENTITY
    assert len(identity.recipient.data) == 1216
    assert str(identity.recipient).startswith("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6ca")
    assert str(identity.recipient).endswith("gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k")


@given(st.binary(min_size=32, max_size=32))
def test_keys_round_trip(seed: bytes) -> None:
    """Identities and recipients keep their value through their text."""
    identity = Identity(seed)
    assert Identity.parse(identity.to_text()) == identity
    assert Recipient.parse(str(identity.recipient)) == identity.recipient


def test_an_identity_shows_itself_to_no_log() -> None:
    """SECURITY 7: neither the text nor the representation of an identity, or of an error about one, holds the secret."""
    identity = Identity.generate()
    secret = identity.to_text()
    assert secret not in f"{identity} {identity!r}"
    for text in (secret[:-1] + ("P" if secret.endswith("Q") else "Q"), secret.lower(), secret.replace("PQ-1", "1")):
        with pytest.raises(AgeError) as refused:
            Identity.parse(text)
        assert refused.value.code == "key-invalid"
        assert secret[20:40] not in f"{refused.value.sentence} {refused.value.hint}".upper()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", "the only kind supported"),
        ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", "the only kind supported"),
        (PUBLISHED_IDENTITY.lower(), "wrong case"),
        (PUBLISHED_IDENTITY[:-1], "checksum"),
        (bech32.encode("age-secret-key-pq-", bytes(31)).upper(), "32 bytes"),
        ("", "bech32"),
        (" " + PUBLISHED_IDENTITY, "not allowed"),
    ],
)
def test_other_identities_are_refused_with_the_reason(text: str, reason: str) -> None:
    """A key of another kind, case or length, or with a typing mistake, is refused and told why."""
    with pytest.raises(AgeError, match=reason):
        Identity.parse(text)


def test_recipients_nothing_could_be_sealed_to_are_refused() -> None:
    """A recipient is checked when it is read, not when a patient's photo waits to be sealed to it."""
    good = Identity.generate().recipient.data
    for data in (good[:-1], good + b"\0", bytes(1216), good[:1184] + bytes(32), b"\xff" * 1184 + good[1184:]):
        with pytest.raises(AgeError):
            Recipient(data)
    with pytest.raises(AgeError, match="wrong case"):
        Recipient.parse(str(Identity.generate().recipient).upper())


def test_fingerprints_are_what_the_format_says() -> None:
    """A fingerprint is 128 bits of the SHA-256 of the key's text, so that any machine's own tools can check it."""
    recipient = Identity.generate().recipient
    digest = hashlib.sha256(str(recipient).encode()).hexdigest()
    assert recipient.fingerprint.replace("-", "") == digest[:32]
    assert [len(group) for group in recipient.fingerprint.split("-")] == [4] * 8
    signer = SigningKey.generate().verifying_key
    assert signer.fingerprint.replace("-", "") == hashlib.sha256(str(signer).encode()).hexdigest()[:32]


def test_identity_file_round_trips() -> None:
    """An identity file holds when it was made, the recipient, the pinned signer and the identity, and reads back."""
    identity, signer = Identity.generate(), SigningKey.generate().verifying_key
    text = write_identity_file(identity, WHEN, signer)
    assert text.splitlines() == [
        "# created: 2026-11-22T10:15:30Z",
        f"# public key: {identity.recipient}",
        f"# signer: {signer}",
        identity.to_text(),
    ]
    found = parse_identity_file(text)
    assert (found.identities, found.signer) == ((identity,), signer)
    assert parse_identity_file(text.replace("\n", "\r\n")) == found


def test_files_of_age_keygen_are_read() -> None:
    """A plain file as age-keygen -pq writes it, other comments and several identities are read; no signer is pinned."""
    one, other = Identity.generate(), Identity.generate()
    text = write_identity_file(one, WHEN) + "\n# old key, kept to open old bundles\n#\n" + other.to_text()
    found = parse_identity_file(text)
    assert (found.identities, found.signer) == ((one, other), None)


def test_altered_identity_files_are_refused() -> None:
    """A file whose parts do not belong together, or that holds anything else, is refused and told why."""
    identity, signer = Identity.generate(), SigningKey.generate().verifying_key
    text = write_identity_file(identity, WHEN, signer)
    other = str(SigningKey.generate().verifying_key)
    for wrong, reason in (
        ("", "holds no identity"),
        ("# created: never\n", "holds no identity"),
        (text.replace(str(identity.recipient), str(Identity.generate().recipient)), "file was altered"),
        (f"# signer: {other}\n{text}", "more than one signer"),
        (text.replace(str(signer), "ed25519:AAAA"), "32 bytes"),
        (text.replace(str(signer), "ed25519:!"), "not a signer"),
        (text.replace(str(signer), "ed25519:é"), "not a signer"),
        (text + "AGE-PLUGIN-YUBIKEY-1QQQQQ", "Line 5 of the identity file"),
        (text + "password: hunter2", "Line 5 of the identity file"),
    ):
        with pytest.raises(AgeError, match=reason) as refused:
            parse_identity_file(wrong)
        assert refused.value.code == "key-invalid"
        assert "hunter2" not in refused.value.sentence


@pytest.mark.parametrize("change", [str.upper, str.strip, lambda text: text[8:], lambda text: text + "\n", lambda text: text[:-1]])
def test_a_signer_has_one_spelling(change: object) -> None:
    """A signer's text is read in exactly the form it is written in."""
    signer = SigningKey.generate().verifying_key
    text = change(str(signer))  # type: ignore[operator]
    if text == str(signer):
        assert VerifyingKey.parse(text) == signer
    else:
        with pytest.raises(AgeError):
            VerifyingKey.parse(text)


def test_signing_key_is_kept_privately_and_never_replaced(tmp_path: Path) -> None:
    """The key's file is for its owner alone, holds what was saved, and is never written over."""
    path, key = tmp_path / "signing.key", SigningKey.generate()
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(path).verifying_key == key.verifying_key
    with pytest.raises(FileExistsError):
        SigningKey.generate().save(path)
    assert SigningKey.load(path).verifying_key == key.verifying_key
    assert [file.name for file in tmp_path.iterdir()] == ["signing.key"]


def test_other_files_are_no_signing_key(tmp_path: Path) -> None:
    """What is not an Ed25519 key is refused with the command that makes one."""
    for name, data in (("text", b"hello"), ("empty", b""), ("bits", bytes(range(256)))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SettingsError, match=name) as refused:
            SigningKey.load(tmp_path / name)
        assert "openssl genpkey" in (refused.value.hint or "")


def test_openssl_makes_keys_and_checks_signatures(tmp_path: Path) -> None:
    """A key from openssl signs here, and openssl verifies the signature from the signer's text alone, as FORMAT.md shows."""
    openssl = program("openssl", install="apt install openssl")
    subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key"], check=True)
    key = SigningKey.load(tmp_path / "key")
    (tmp_path / "data").write_bytes(b"signed")
    (tmp_path / "sig").write_bytes(key.sign(b"signed"))
    raw = base64.b64decode(str(key.verifying_key).removeprefix("ed25519:"))
    (tmp_path / "pub").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "pub", "-rawin", "-in", "data"]
    done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_new_files_are_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is never replaced, also where the disk knows no links, and a failed write leaves nothing behind."""

    def no_links(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    write_new(tmp_path / "one", b"1")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "one", b"2")
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_new(tmp_path / "two", b"2", mode=0o644)
    for name in ("one", "two"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b"3")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one": b"1", "two": b"2"}

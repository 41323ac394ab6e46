"""`capture keygen` and `capture open`: what a practice has in its hand, without the service."""

import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from capture.actions.deliver import bundle_files
from capture.actions.skip import skip
from capture.app import make_services
from capture.sealing.age import open_with_passphrase, seal_with_passphrase
from capture.sealing.bundle import SealedBundle, stream_zip
from capture.sealing.keys import SigningKey, VerifyingKey, parse_identity_file, write_identity_file
from capture.settings import load_settings
from tests.builders import APractice, agree_patient, make_practice, make_request, make_submitted
from tests.cli.conftest import Command

PASSPHRASE = "one-two-three-four"
VIEWS = ("context", "close-up")


@dataclass(frozen=True)
class Sent:
    """A bundle that a patient sent, as a ZIP, and what opens it: an identity file, and one that pins the signer."""

    practice: APractice
    signer: VerifyingKey
    receipt: str
    zip: Path
    identity: Path
    pinned: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    folder = tmp_path_factory.mktemp("sent")
    services = make_services(load_settings({}, var=folder / "var"))
    practice = make_practice(services)
    asked = make_request(services, practice)
    agree_patient(services, asked)
    skip(services, asked.id, "close-up-scale", "hurts", "\x1b[2J")
    bundle = make_submitted(services, asked, views=VIEWS)
    with services.database.read() as db:
        files = bundle_files(services, db, bundle).files
    sealed = SealedBundle(bundle.manifest, bundle.signature, bundle.request_part)
    (folder / "bundle.zip").write_bytes(b"".join(stream_zip(sealed, (file.read() for file in files[3:]))))
    signer = services.signing_key.verifying_key
    (folder / "identity.txt").write_text(write_identity_file(practice.identity, services.clock()))
    (folder / "pinned.txt").write_text(write_identity_file(practice.identity, services.clock(), signer))
    yield Sent(practice, signer, asked.receipt, *(folder / name for name in ("bundle.zip", "identity.txt", "pinned.txt")))
    services.close()


@pytest.fixture
def sent(made: Sent, tmp_path: Path) -> Sent:
    """The same with a ZIP of the test's own, to tamper with."""
    return replace(made, zip=Path(shutil.copy(made.zip, tmp_path)))


def test_opening_a_bundle(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """The plain identity and --signer give the patient's photos as JPEG files and everything that was said with them."""
    told = capture.json("open", sent.zip, "--identity", sent.identity, "--signer", sent.signer, "--out", tmp_path / "out")
    assert {key: told[key] for key in ("receipt", "practice", "label", "reference", "site", "note", "signer")} == {
        "receipt": sent.receipt,
        "practice": sent.practice.ods,
        "label": "Quillon Xystus",
        "reference": "AG-77-1234",
        "site": "left forearm (back)",
        "note": "It itches at night.",
        "signer": str(sent.signer),
    }
    assert told["consent"].keys() == {"version", "at"}
    assert told["answers"]["who agreed"] == "the patient"
    assert told["answers"]["not taken: Close-up with a ruler or coin"] == "It hurts: \x1b[2J"
    assert [photo["view"] for photo in told["photos"]] == list(VIEWS)
    for photo in told["photos"]:
        path = Path(photo["path"])
        assert path.parent == tmp_path / "out"
        assert photo["new"]
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (800, 600))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_said_is_printed(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """A person reads who agreed and which photo is missing; a patient's words reach the terminal as text alone."""
    told = capture("open", sent.zip, "--identity", sent.pinned, "--out", tmp_path / "out").stdout
    assert "who agreed: the patient" in told
    assert "not taken: Close-up with a ruler or coin: It hurts: \\x1b[2J" in told
    assert "\x1b" not in told
    assert "agreed 1" not in told


def test_opening_again_changes_nothing(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """A second opening into the same folder says that the photos were there; for a person it is told in lines."""
    args = ("open", sent.zip, "--identity", sent.pinned, "--out", tmp_path / "out")
    first = capture(*args).stdout
    assert f"Everything is as it was sent: 2 photos, receipt {sent.receipt}, signed by {sent.signer.fingerprint}" in first
    assert first.count("wrote ") == 2
    assert capture(*args).stdout.count("was there ") == 2


def test_an_identity_under_a_passphrase(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """The passphrase comes from a file, from CAPTURE_PASSPHRASE or from the keyboard; a wrong one ends with 3."""
    identity = tmp_path / "identity.age"
    identity.write_bytes(seal_with_passphrase(sent.pinned.read_bytes(), PASSPHRASE, log_n=4))
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\n")
    args = ("open", sent.zip, "--identity", identity, "--out", tmp_path / "out")
    assert capture.json(*args, "--passphrase-file", tmp_path / "pass")["receipt"] == sent.receipt
    assert capture.json(*args, CAPTURE_PASSPHRASE=PASSPHRASE)["receipt"] == sent.receipt
    assert "error: " in capture(*args, code=3, CAPTURE_PASSPHRASE="another").stderr


def test_the_passphrase_is_asked_for(capture: Command, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither a file nor a variable it is asked for at the keyboard, unseen."""
    identity = tmp_path / "identity.age"
    identity.write_bytes(seal_with_passphrase(sent.pinned.read_bytes(), PASSPHRASE, log_n=4))
    monkeypatch.setattr("getpass.getpass", lambda _prompt: PASSPHRASE)
    assert capture.json("open", sent.zip, "--identity", identity, "--out", tmp_path / "out")["receipt"] == sent.receipt


@pytest.mark.parametrize("contents", [b"", b"\n", b"\xff\xfe"])
def test_a_passphrase_file_without_a_passphrase(capture: Command, tmp_path: Path, contents: bytes) -> None:
    """An empty file, an empty line and a file that is not text are refused: no key is sealed under nothing."""
    (tmp_path / "pass").write_bytes(contents)
    result = capture("keygen", "--out", tmp_path / "k", "--passphrase-file", tmp_path / "pass", code=1)
    assert "holds no passphrase" in result.stderr
    assert not (tmp_path / "k").exists()


def test_a_bundle_whose_server_is_not_known(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """Without a signer from the file or the command nothing is opened, because anyone can seal to a public key."""
    result = capture("open", sent.zip, "--identity", sent.identity, "--out", tmp_path / "out", code=3)
    assert "hint: give --signer" in result.stderr
    assert not (tmp_path / "out").exists()


def test_another_servers_signature(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """A bundle that another key signed is refused, and no photo written (SECURITY 36)."""
    other = SigningKey.generate().verifying_key
    args = ("open", sent.zip, "--identity", sent.identity, "--out", tmp_path / "out")
    assert "error: " in capture(*args, "--signer", other, code=3).stderr
    assert "error: " in capture(*args, "--signer", "ed25519:nonsense", code=3).stderr
    assert not (tmp_path / "out").exists()


def rewrite(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write a ZIP anew, each file as `change` says; None leaves it out."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            if (changed := change(name, data)) is not None:
                archive.writestr(name, changed)
    path.write_bytes(target.getvalue())


@pytest.mark.parametrize("name", ["bundle.json", "bundle.sig", "request.json.age", "photos/01-context.jpg.age"])
@pytest.mark.parametrize("how", ["altered", "missing"])
def test_a_bundle_that_was_tampered_with(capture: Command, sent: Sent, tmp_path: Path, name: str, how: str) -> None:
    """A flipped bit in any file of it, or one that is missing, ends with 3 and its reason; nothing is written (SECURITY 36)."""

    def change(found: str, data: bytes) -> bytes | None:
        if found != name:
            return data
        return None if how == "missing" else data[:-1] + bytes([data[-1] ^ 1])

    rewrite(sent.zip, change)
    out = tmp_path / "out"
    result = capture("open", sent.zip, "--identity", sent.pinned, "--out", out, "--json", code=3)
    assert json.loads(result.stdout)["error"]["code"].startswith("bundle-")
    assert not out.exists() or list(out.iterdir()) == []


def test_an_added_file_and_no_bundle_at_all(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """A file that the manifest does not list, and a file that is no ZIP, end with 3 (SECURITY 36)."""
    with zipfile.ZipFile(sent.zip, "a") as archive:
        archive.writestr("photos/99-extra.jpg.age", b"x")
    args = ("--identity", sent.pinned, "--out", tmp_path / "out")
    assert "was added" in capture("open", sent.zip, *args, code=3).stderr
    assert "not a bundle" in capture("open", sent.pinned, *args, code=3).stderr


def test_another_practices_identity(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """An identity that the bundle was not sealed to opens nothing."""
    capture("keygen", "--out", tmp_path / "other", "--signer", sent.signer)
    assert parse_identity_file((tmp_path / "other").read_text()).signer == sent.signer
    assert "error: " in capture("open", sent.zip, "--identity", tmp_path / "other", "--out", tmp_path / "o", code=3).stderr


@pytest.mark.parametrize("contents", [b"\xff\xd8\xff not text", b"", b"AGE-SECRET-KEY-1QQ\n"])
def test_a_file_that_is_no_identity(capture: Command, sent: Sent, tmp_path: Path, contents: bytes) -> None:
    """A picture, an empty file and a key of another kind are refused as identities, without a word of what they hold."""
    (tmp_path / "other").write_bytes(contents)
    result = capture("open", sent.zip, "--identity", tmp_path / "other", "--out", tmp_path / "out", code=3)
    assert "error: " in result.stderr
    assert "QQ" not in result.stderr


def test_a_folder_that_cannot_be_written(capture: Command, sent: Sent, tmp_path: Path) -> None:
    """A file where the folder should be is named; a photo's place that is taken is never written over."""
    (tmp_path / "out").write_text("in the way")
    args = ("open", sent.zip, "--identity", sent.pinned, "--out")
    assert str(tmp_path / "out") in capture(*args, tmp_path / "out", code=1).stderr
    told = capture.json(*args, tmp_path / "other")
    taken = Path(told["photos"][0]["path"])
    taken.write_bytes(b"something else")
    assert "is not this photo" in capture(*args, tmp_path / "other", code=3).stderr
    assert taken.read_bytes() == b"something else"


def test_a_key_is_never_written_over(capture: Command, tmp_path: Path) -> None:
    """`keygen` writes for this user only, tells the fingerprint, and refuses a name that is taken or cannot be written."""
    made = capture.json("keygen", "--out", tmp_path / "k")
    before = (tmp_path / "k").read_bytes()
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert "AGE-SECRET-KEY" not in json.dumps(made)
    result = capture("keygen", "--out", tmp_path / "k", code=1)
    assert "is there already" in result.stderr
    assert "hint: " in result.stderr
    assert (tmp_path / "k").read_bytes() == before
    assert "cannot be written" in capture("keygen", "--out", tmp_path / "no/such/folder", code=1).stderr
    shown = capture("keygen", "--out", tmp_path / "l").stdout
    assert shown.startswith("age1pq1")
    assert "Fingerprint: " in shown


def test_a_key_under_a_passphrase_opens(capture: Command, tmp_path: Path) -> None:
    """A sealed identity file is an age file that only its passphrase opens, and holds the recipient that was printed."""
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\nnot this line\n")
    made = capture.json("keygen", "--out", tmp_path / "k.age", "--passphrase-file", tmp_path / "pass")
    data = (tmp_path / "k.age").read_bytes()
    assert data.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    (identity,) = parse_identity_file(open_with_passphrase(data, PASSPHRASE).decode()).identities
    assert str(identity.recipient) == made["recipient"]

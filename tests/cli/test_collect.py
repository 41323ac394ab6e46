"""`capture collect`: what waits at a service that runs becomes files in a folder, once, and is acknowledged after that."""

import io
import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from capture.cli import main
from capture.collecting import api
from capture.collecting.base import Waiting
from capture.collecting.folder import Folder
from capture.domain.requests import State
from capture.sealing.age import seal_with_passphrase
from capture.sealing.keys import Identity, write_identity_file
from capture.store.models import AuditEvent
from tests.builders import PASSPHRASE, VIEWS, bundle_of, photos_of
from tests.cli.collecting import Desk, Site, line_to, mode_of, standing, write_keys
from tests.sealing.builders import AT, make_bundle


def test_what_waits_is_collected(desk: Desk) -> None:
    """Bundles come in the order in which they were sent, whole, under names with their receipts, and are acknowledged; then nothing
    waits. A person reads receipts, and nothing else, for that may go to a log. No settings and no database are there."""
    first, second = desk.send(), desk.send()
    told = desk.collect()
    assert told.stdout.splitlines() == [f"collected {first.receipt}: 2 files", f"collected {second.receipt}: 2 files"]
    assert told.stderr == ""
    assert desk.files() == desk.photos(first) | desk.photos(second)
    assert {desk.state(first), desk.state(second)} == {State.COLLECTED}
    assert {mode_of(desk.out / name) for name in desk.files()} == {0o600}
    for data in desk.files().values():
        with Image.open(io.BytesIO(data)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (800, 600))
    assert desk.left() == []
    assert desk.collect().stdout == "Nothing waits.\n"
    assert not (desk.folder / "nowhere").exists()


def test_a_program_reads_lines(desk: Desk) -> None:
    """With --json there is a line for each bundle: its id, its receipt, what became of it, the names of its files."""
    asked = desk.send()
    (line,) = desk.lines()
    assert re.fullmatch("[0-9a-f]{32}", line.pop("bundle"))
    assert line == {"receipt": asked.receipt, "state": "collected", "files": sorted(desk.photos(asked))}
    assert desk.lines() == []


def test_more_than_a_page_of_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more bundles wait than the API lists at once, all come, those that were sent first in front."""
    monkeypatch.setattr(api, "PAGE", 1)
    first, second = desk.send(), desk.send()
    assert [line["receipt"] for line in desk.lines()] == [first.receipt, second.receipt]


def test_names_are_safe_everywhere(desk: Desk) -> None:
    """Names hold letters, digits, hyphen and underline, begin with the receipt, and are none that Windows keeps for itself."""
    asked = desk.send(VIEWS)
    desk.collect("--fhir", "--facts")
    assert len(desk.files()) == 5
    for name in desk.files():
        assert re.fullmatch(rf"{asked.receipt}_[A-Za-z0-9_-]+(\.jpg|\.fhir\.json|\.json)", name)
        assert len(name) < 200


def test_more_kinds_of_files(desk: Desk) -> None:
    """--fhir writes the photos as FHIR too, --facts what was said as JSON, and --pdf one PDF in place of the JPEGs."""
    asked = desk.send()
    photos = desk.photos(asked)
    desk.collect("--pdf", "--fhir", "--facts")
    (pdf, fhir, facts) = (desk.out / f"{asked.receipt}_2026-11-22_left-forearm-back_{end}" for end in ENDS)
    assert sorted(desk.files()) == sorted(path.name for path in (pdf, fhir, facts))
    assert all(jpeg in pdf.read_bytes() for jpeg in photos.values())
    assert [entry["resource"]["resourceType"] for entry in json.loads(fhir.read_bytes())["entry"]] == [
        "DocumentReference",
        "Binary",
    ] * 2
    told = json.loads(facts.read_bytes())
    assert (told["label"], told["note"], told["receipt"]) == (asked.label, "It itches at night.", asked.receipt)


ENDS = ("2-photos.pdf", "2-photos.fhir.json", "facts.json")


def test_a_preset(desk: Desk) -> None:
    """--preset makes photos fit; a system that takes four files gets no bundle of five, which waits, while the others come."""
    asked = desk.send()
    desk.collect("--preset", "vision-745kb")
    assert desk.files() == desk.photos(asked)
    more = desk.send((*VIEWS, "more-1", "more-2"))
    other = desk.send()
    told = desk.collect("--preset", "vision-745kb", code=3)
    assert f"error: {more.receipt}: vision-745kb takes 4 files at most, not 5." in told.stderr
    assert (desk.state(more), desk.state(other)) == (State.DELIVERED, State.COLLECTED)
    assert "give --pdf or --preset" in desk.collect("--preset", "vision-745kb", "--pdf", code=2).stderr


@pytest.mark.parametrize("umask", [0, 0o077])
def test_who_may_read(desk: Desk, umask: int) -> None:
    """Files have the mode that was asked for whatever the umask is; what is unfinished is in a folder of this user alone."""
    desk.send()
    before = os.umask(umask)
    try:
        desk.collect("--mode", "640")
    finally:
        os.umask(before)
    assert {mode_of(desk.out / name) for name in desk.files()} == {0o640}
    assert mode_of(desk.out / ".capture") == 0o700


def test_an_identity_under_a_passphrase(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase comes from a file or from CAPTURE_PASSPHRASE; where nobody can be asked for it, that is said."""
    identity = desk.folder / "identity"
    identity.write_bytes(seal_with_passphrase(identity.read_bytes(), PASSPHRASE, log_n=4))
    (desk.folder / "pass").write_text(f"{PASSPHRASE}\n")
    asked, other = desk.send(), desk.send()
    assert f"collected {asked.receipt}" in desk.collect("--passphrase-file", desk.folder / "pass").stdout
    desk.put(other, State.DELIVERED)
    assert f"acknowledged {other.receipt}" in desk.collect(CAPTURE_PASSPHRASE=PASSPHRASE).stdout
    monkeypatch.setattr("getpass.getpass", _nobody)
    assert "hint: give --passphrase-file" in desk.collect(code=1).stderr


def _nobody(_prompt: str) -> str:
    raise EOFError


def test_files_that_windows_wrote(desk: Desk) -> None:
    """PowerShell writes a byte order mark in front of UTF-8: a token, a passphrase and an identity are read all the same."""
    asked, other = desk.send(), desk.send()
    for name in ("token", "identity"):
        (desk.folder / name).write_text((desk.folder / name).read_text(), "utf-8-sig")
    desk.collect()
    assert desk.files() == desk.photos(asked) | desk.photos(other)
    sealed = seal_with_passphrase((desk.folder / "identity").read_bytes(), PASSPHRASE, log_n=4)
    (desk.folder / "identity").write_bytes(sealed)
    (desk.folder / "pass").write_text(f"{PASSPHRASE}\r\n", "utf-8-sig")
    desk.put(asked, State.DELIVERED)
    assert f"acknowledged {asked.receipt}" in desk.collect("--passphrase-file", desk.folder / "pass").stdout


def test_a_wrong_identity(desk: Desk) -> None:
    """A bundle that the identity does not open is named, stays where it is, and leaves nothing behind; the exit code is 3."""
    asked, right = desk.send(), (desk.folder / "identity").read_text()
    wrong = write_identity_file(Identity.generate(), AT, desk.services.signing_key.verifying_key)
    (desk.folder / "identity").write_text(wrong)
    told = desk.collect(code=3)
    assert f"error: {asked.receipt}: This bundle is not sealed to this identity." in told.stderr
    assert (told.stdout, desk.files(), desk.left(), desk.state(asked)) == ("", {}, [], State.DELIVERED)
    (line,) = desk.lines(code=3)
    assert (line["receipt"], line["error"]["code"]) == (asked.receipt, "age-no-match")
    (desk.folder / "identity").write_text(right)
    desk.collect()
    assert desk.files() == desk.photos(asked)


def test_another_practices_token(desk: Desk) -> None:
    """With a token of another practice, or a wrong --practice, nothing is opened into this one's folder."""
    asked = desk.send()
    told = desk.collect("--practice", "Z99999", code=3)
    assert f"This bundle is for the practice {desk.practice.ods}, not for Z99999." in told.stderr
    assert (desk.files(), desk.state(asked)) == ({}, State.DELIVERED)


def test_a_part_that_the_server_lost(desk: Desk) -> None:
    """A bundle that the service cannot send whole is named with the part; the next one comes all the same (SECURITY 36)."""
    damaged, whole = desk.send(fresh=True), desk.send()
    photo = next(one for one in photos_of(desk.services, damaged) if one.view == "context")
    path = desk.services.settings.var / "blobs" / photo.blob
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    told = desk.collect(code=3)
    assert f"error: {damaged.receipt}: The server cannot send this bundle whole: photos/01-context.jpg.age" in told.stderr
    assert desk.files() == desk.photos(whole)
    assert (desk.state(damaged), desk.state(whole)) == (State.DELIVERED, State.COLLECTED)


def test_a_part_that_was_altered_on_the_way(desk: Desk, site: Site) -> None:
    """A byte that is altered on the way is found, nothing is written, and the next time all of it is fetched anew (SECURITY 36)."""
    asked = desk.send()
    with line_to(site.port) as line:
        line.change = _spoiled
        told = desk.collect(server=line.origin, code=3)
        assert f"error: {asked.receipt}: " in told.stderr
        assert (desk.files(), desk.left(), desk.state(asked)) == ({}, [], State.DELIVERED)
        line.change = lambda data: data
        desk.collect(server=line.origin)
        assert line.ranges == [0, 0]
    assert desk.files() == desk.photos(asked)


def _spoiled(data: bytes) -> bytes:
    """Another byte in what is large enough to be of a photo."""
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:] if len(data) > 9_000 else data


def test_files_that_are_there(desk: Desk) -> None:
    """Where the very files are there already no second copy is written, and the bundle is acknowledged."""
    asked = desk.send()
    for name, data in desk.photos(asked).items():
        (desk.out / name).write_bytes(data)
    before = {path.name: path.stat().st_ino for path in desk.out.iterdir()}
    desk.collect()
    assert {path.name: path.stat().st_ino for path in desk.out.iterdir() if path.is_file()} == before
    assert desk.state(asked) == State.COLLECTED


def test_another_file_in_the_way(desk: Desk) -> None:
    """Another file of that name is never written over: the bundle waits until it is moved away."""
    asked = desk.send()
    taken = desk.out / next(iter(desk.photos(asked)))
    taken.write_bytes(b"something else")
    told = desk.collect(code=3)
    assert f"error: {asked.receipt}: {taken.name} is there already and is not this file." in told.stderr
    assert (desk.files(), desk.left(), desk.state(asked)) == ({taken.name: b"something else"}, [], State.DELIVERED)
    taken.unlink()
    desk.collect()
    assert desk.files() == desk.photos(asked)


def test_files_that_were_ready(desk: Desk) -> None:
    """What a run that was killed had made ready appears without being fetched again; unless another file is in its place, which is
    told, and waited for."""
    asked = desk.send()
    bundle, (name, *_) = Waiting(bundle_of(desk.services, asked).id, asked.receipt), desk.photos(asked)
    folder = Folder(desk.out)
    with folder.staged(bundle) as stage:
        stage.add(name, [b"a photo"])
    folder.close()
    (desk.out / name).write_bytes(b"something else")
    assert f"error: {asked.receipt}: {name} is there already" in desk.collect(code=3).stderr
    assert (desk.files(), desk.state(asked)) == ({name: b"something else"}, State.DELIVERED)
    (desk.out / name).unlink()
    assert [line["state"] for line in desk.lines()] == ["collected", "acknowledged"]
    assert (desk.files(), desk.left(), desk.state(asked)) == ({name: b"a photo"}, [], State.COLLECTED)


def test_another_bundle_than_the_one_that_waits(tmp_path: Path) -> None:
    """A server that sends one bundle under the name of another is found out by the signed manifest (SECURITY 36)."""
    made = make_bundle()
    (tmp_path / "out").mkdir()
    with standing() as stand:
        stand.bundles = [made]
        stand.listed = "c" * 32
        args = [*write_keys(tmp_path, made), "--out", str(tmp_path / "out"), "--server", stand.origin]
        result = CliRunner().invoke(main, args)
    assert result.exit_code == 3
    assert "Another bundle came than the one that waits." in result.stderr


def test_a_server_that_forgot(desk: Desk) -> None:
    """What was collected and taken away is not written again when a restored server says that it waits: it is acknowledged."""
    asked = desk.send()
    desk.collect()
    for name in desk.files():
        (desk.out / name).unlink()
    desk.put(asked, State.DELIVERED)
    assert desk.collect().stdout == f"acknowledged {asked.receipt}, which was collected before\n"
    assert (desk.files(), desk.state(asked)) == ({}, State.COLLECTED)


def test_what_the_service_records(desk: Desk) -> None:
    """SECURITY 40: the audit trail has that this token fetched the bundle, and that it collected it, each once."""
    asked = desk.send()
    token = desk.token("bundles:read", "bundles:acknowledge")
    desk.collect()
    with desk.services.database.read() as db:
        events = db.query(AuditEvent).filter_by(subject=asked.id, actor=f"token:{token}").order_by(AuditEvent.number)
        assert [event.action for event in events] == ["bundle downloaded", "request collected"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--server https://photos.example.org --token-file {file} --settings-file {file}", "--server takes no --settings-file."),
        ("--server https://photos.example.org --token-file {file} --endpoint https://s3.example", "--server takes no --endpoint."),
        ("--server https://photos.example.org --token-file {file} --region x", "--server takes no --region."),
        ("--server https://photos.example.org --token-file {file} --delete", "--server takes no --delete."),
        ("--from mesh://X26ABC2 --settings-file {file} --ca-file {file}", "--from mesh:// takes no --ca-file."),
        ("--from mesh://X26ABC2 --settings-file {file} --delete", "--from mesh:// takes no --delete."),
        ("--from mesh://X26ABC2/inbox --settings-file {file}", "--from is mesh:// and a mailbox, or"),
        ("--from s3://practice-photos/A81001/ --token-file {file}", "--from s3:// takes no --token-file."),
        ("--from s3:///A81001/", "--from is mesh:// and a mailbox, or"),
        ("--from s3://practice-photos/A81001/ --every 5", "--every goes with --watch."),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: str, told: str) -> None:
    """An option that would change nothing is refused by name, before anything is read or asked."""
    file = tmp_path / "file"
    file.write_text("")
    args = ["collect", "--practice", "A81001", "--identity", str(file), "--out", str(tmp_path), *words.format(file=file).split()]
    result = CliRunner().invoke(main, args)
    assert (result.exit_code, told in " ".join(result.stderr.split())) == (2, True), result.output

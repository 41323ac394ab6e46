"""`capture backup` and `capture restore`: for people and for programs, and how each failure ends."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from capture.actions.trim_journal import make_trimming
from capture.services import Services
from tests.builders import make_practice, make_request, make_submitted, photos_of
from tests.cli.conftest import Command


def test_there_and_back(
    capture: Command, open_services: Callable[[], Services], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup, a look at it, a restore on an empty machine with the keys and the journal; each says what it did."""
    services = open_services()
    asked = make_request(services, make_practice(services))
    make_submitted(services, asked)
    (photo,) = photos_of(services, asked)
    done = capture.json("backup", "there", "--keep", 2)
    assert (done["snapshot"], done["parts"], done["copied"], done["missing"]) == (1, 1, 1, [])
    assert "Snapshot 2 of there was written: 1 photos, 0 of them copied now." in capture("backup", "there").stdout
    assert "Not in it: " in capture("backup", "there").stdout
    assert "is whole: 1 photos are as they were sealed." in capture("restore", "there", "--check").stdout
    assert capture.json("restore", "there", code=1)["error"]["code"] == "not-empty"
    empty = Command(tmp_path / "empty")
    assert empty.json("restore", "there", code=4)["error"]["code"] == "settings"
    shutil.copytree(capture.var / "keys", empty.var / "keys")
    assert empty.json("restore", "there", code=1)["error"]["code"] == "no-journal"
    monkeypatch.setenv("CAPTURE_JOURNAL", str(capture.var / "journal.log"))
    monkeypatch.setenv("CAPTURE_AUDIT_HEADS", str(capture.var / "audit-heads.log"))
    text = empty("restore", "there", "--snapshot", 2).stdout
    assert "Snapshot 2, made at " in text
    assert "was brought back: 1 photos.\nLinks ended: 0. Requests deleted: 0. Bundles that nobody had opened: 1." in text
    verified = empty.json("audit", "verify")
    assert (verified["problems"], len(verified["restores"])) == ([], 1)
    assert "NOTE     on " in empty("audit", "verify").stdout
    (tmp_path / "there" / "blobs" / photo.blob).write_bytes(b"")
    assert capture.json("restore", "there", "--check", code=1)["missing"] == [photo.blob]
    assert "has damage: 0 photos are as they were sealed." in capture("restore", "there", "--check", code=1).stdout
    manifest = tmp_path / "there" / "snapshots" / "000003" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert capture.json("restore", "there", "--check", code=3)["error"]["code"] == "backup-altered"
    older = capture("restore", "there", "--check", "--snapshot", 2, code=1).stdout
    assert "PROBLEM  snapshot 3 has rotted: parts that left the backup with it are missing" in older
    assert (
        "--check, --parts and --without-journal do not go together" in capture("restore", "x", "--check", "--parts", code=2).stderr
    )
    assert "--parts and --snapshot do not go together" in capture("restore", "x", "--parts", "--snapshot", 2, code=2).stderr


def test_without_journal_and_parts(capture: Command, open_services: Callable[[], Services], tmp_path: Path) -> None:
    """Without a journal links end, and the command says how many; a damaged photo is put back from a backup."""
    services = open_services()
    asked = make_request(services, make_practice(services))
    make_submitted(services, asked)
    make_request(services, asked.practice)
    capture("backup", "there")
    path = capture.var / "blobs" / photos_of(services, asked)[0].blob
    path.unlink()
    assert capture.json("restore", "there", "--parts") == {"whole": [], "damaged": []}
    capture("scrub", code=1)
    assert "1 photos are whole again, 0 are still damaged." in capture("restore", "there", "--parts").stdout
    assert path.exists()
    empty = Command(tmp_path / "empty")
    shutil.copytree(capture.var / "keys", empty.var / "keys")
    restored = empty.json("restore", "there", "--without-journal")
    assert (restored["ended"], restored["deleted"], restored["unopened"]) == (1, 0, 1)
    path.unlink()
    shutil.rmtree(tmp_path / "there" / "blobs")
    assert capture("backup", "there", code=1).stdout.startswith(f"PROBLEM  {photos_of(services, asked)[0].blob} is damaged")


def test_a_journal_that_was_altered_is_told(
    capture: Command, open_services: Callable[[], Services], caplog: pytest.LogCaptureFixture
) -> None:
    """`capture check` counts what was noted, and names a line that was altered; the worker logs it and goes on."""
    services = open_services()
    asked = make_request(services, make_practice(services))
    make_submitted(services, asked)
    path = capture.var / "journal.log"
    assert f"ok       journal: 1 ends of links and deletions are noted in {path}" in capture("check").stdout
    path.write_bytes(path.read_bytes().replace(b'{"n": 0', b'{"n": 1'))
    assert f"PROBLEM  journal: line 1 of {path} was altered" in capture("check", code=4).stdout
    assert not make_trimming(services)()
    assert f"the journal: line 1 of {path} was altered" in caplog.text


def test_nothing_is_kept_where_nothing_is(capture: Command, tmp_path: Path) -> None:
    """Where the data folder is lost or not mounted, a backup and a scrub say so and make neither database nor keys."""
    for command in (["backup", "there"], ["scrub"]):
        told = capture(*command, code=4).stderr
        assert "error: there is no database" in told
        assert "hint: mount the data folder" in told
    assert not capture.var.exists()
    assert not (tmp_path / "there").exists()

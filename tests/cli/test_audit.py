"""`capture audit`: noting where the chains end, and finding what was done to them; and the worker, which notes on its own."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from capture.actions.note_heads import note_due_heads
from capture.services import Services
from capture.settings import load_settings
from capture.worker import work
from tests.builders import make_member, make_practice
from tests.cli.conftest import Command
from tests.conftest import Clock


def test_noting_and_verifying(capture: Command, open_services: Callable[[], Services], tmp_path: Path) -> None:
    """SECURITY 39: heads are noted in the file that the settings name; a chain that was cut is named, with exit code 4."""
    services = open_services()
    practice = make_practice(services)
    heads = tmp_path / "elsewhere.log"
    assert "is not there" in capture("audit", "verify", code=4, CAPTURE_AUDIT_HEADS=str(heads)).stdout
    assert capture.json("audit", "head", CAPTURE_AUDIT_HEADS=str(heads)) == {"noted": 1, "file": str(heads)}
    assert "ends where it was noted" in capture("audit", "verify", CAPTURE_AUDIT_HEADS=str(heads)).stdout
    with services.database.write() as db:
        db.execute(text("DELETE FROM audit WHERE number > 1"))
        db.execute(text("UPDATE audit_heads SET number = 1, hash = (SELECT hash FROM audit WHERE number = 1) WHERE number > 1"))
    (problem,) = capture.json("audit", "verify", code=4, CAPTURE_AUDIT_HEADS=str(heads))["problems"]
    assert problem.startswith(f"practice {practice.id}: event")
    assert "but the chain ends at event 1" in problem
    assert capture("audit", "verify", code=4, CAPTURE_AUDIT_HEADS=str(heads)).stdout == f"PROBLEM  {problem}\n"


def test_a_file_of_its_own(tmp_path: Path) -> None:
    """Unless the settings name another file, the heads stand in the data folder."""
    assert load_settings({}, var=tmp_path).heads_file == tmp_path / "audit-heads.log"
    assert load_settings({"CAPTURE_AUDIT_HEADS": "/mnt/heads.log"}).heads_file == Path("/mnt/heads.log")


def test_the_worker_notes_the_heads(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY 39: the worker notes where the chains end when it starts, and again when its time has come."""
    make_practice(services)
    monkeypatch.setattr("capture.worker.PAUSE", 0.01)
    stop, file = threading.Event(), services.settings.heads_file
    thread = threading.Thread(target=work, args=(services, stop))
    thread.start()
    for _ in range(500):
        if file.exists() and file.read_bytes().endswith(b"\n"):
            break
        stop.wait(0.02)
    stop.set()
    thread.join()
    assert len(file.read_bytes().splitlines()) == 1


def test_once_an_hour(services: Services, clock: Clock) -> None:
    """The worker adds nothing before an hour has passed since the last line, whichever way the clock was set meanwhile."""
    practice, file = make_practice(services), services.settings.heads_file
    assert note_due_heads(services) == 1
    os.utime(file, (clock().timestamp(), clock().timestamp()))
    make_member(services, practice)
    for minutes, noted in ((59, 0), (-118, 0), (-3, 1)):
        clock.forward(minutes=minutes)
        assert note_due_heads(services) == noted

"""The real service while everything that it sends to takes connections and says nothing."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from capture.photos.sample import sample_photo
from tests.system.server import Patient, Server, environment, run, running, wait_until

PATIENCE = 9.0
"""Seconds that a patient waits for any answer here; what the service itself waits for 20 to 60 s."""
ASKED = ("--practice", "A81001", "--dob", "1980-03-31", "--protocol", "lesion", "--site", "hand", "--side", "left")
INBOXES = """
[inboxes.bucket]
kind = "s3"
title = "the bucket"
bucket = "elm-photos"
endpoint = "http://127.0.0.1:{s3}"
access_key = "CAPTURE"
secret_file = "word"
read_seconds = 60

[inboxes.mesh]
kind = "mesh"
title = "the MESH mailbox"
url = "http://127.0.0.1:{mesh}"
mailbox = "X26OT001"
password_file = "word"
shared_key_file = "word"
workflow = "CAPTURE_PHOTOS"
recipient = "A81001OT01"
timeout = 60

[inboxes.documents]
kind = "folder"
title = "the documents folder"
path = "{folder}"
"""


class Stalled:
    """A port that takes connections and what comes over them, and never says a word."""

    def __init__(self, stack: ExitStack) -> None:
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._listener.setblocking(False)
        self._stack = stack
        self.port = self._listener.getsockname()[1]

    def was_called(self) -> bool:
        """Whether anybody connected since that was asked last; the caller is left hanging."""
        try:
            self._stack.enter_context(self._listener.accept()[0])
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def stalled() -> Iterator[dict[str, Stalled]]:
    with ExitStack() as stack:
        yield {name: Stalled(stack) for name in ("s3", "mesh", "smtp")}


@pytest.fixture
def server(tmp_path: Path, stalled: dict[str, Stalled]) -> Iterator[Server]:
    ports = {name: one.port for name, one in stalled.items()}
    (tmp_path / "documents").mkdir()
    (tmp_path / "word").write_text("word\n")
    (tmp_path / "inboxes.toml").write_text(INBOXES.format(folder=tmp_path / "documents", **ports))
    mail = {"HOST": "127.0.0.1", "PORT": str(ports["smtp"]), "SECURITY": "none", "FROM": "photos@surgery.example"}
    env = environment(tmp_path / "var") | {f"CAPTURE_MAIL_{name}": value for name, value in mail.items()}
    env |= {"CAPTURE_INBOXES": str(tmp_path / "inboxes.toml"), "CAPTURE_MESSAGE_SECONDS": "20"}
    with running(tmp_path / "var", env=env) as running_server:
        with sqlite3.connect(tmp_path / "var" / "capture.db") as db:
            db.execute("UPDATE practices SET notice_email = 'desk@elm.example'")
        db.close()
        yield running_server


def test_no_patient_waits_for_what_stalls(server: Server, stalled: dict[str, Stalled], tmp_path: Path) -> None:
    """The table of faults: while S3, MESH and the mail server stall together, patients go through every page and send, the staff
    pages have the photos, and the inbox that is well gets each bundle."""
    receipts = []
    for _ in range(2):
        link = run(server.var, "request", "create", *ASKED, CAPTURE_ORIGIN=server.tour["address"])["link"]
        patient = Patient(server.port, link, patience=PATIENCE)
        patient.come_in()
        for view in ("context", "close-up", "close-up-scale"):
            assert patient.photo(view, sample_photo(view)).status == 201
        receipts.append(patient.send())
        wait_until(lambda: len(list((tmp_path / "documents").glob("*.zip"))) == len(receipts))
    for one in stalled.values():
        wait_until(one.was_called)  # it was waited for all the while
    rows = run(server.var, "deliveries", "list")["deliveries"]
    assert {row["inbox"] for row in rows} == {"bucket", "mesh"}
    assert len(rows) == 4

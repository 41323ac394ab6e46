"""The real service, all of whose inboxes but a folder, and whose mail server too, lead to ports that a caller chose."""

import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from capture.photos.sample import sample_photo
from tests.system.server import Patient, Server, environment, run, running

AWAY = ("s3", "mesh", "smtp")
_ASKED = ("--practice", "A81001", "--dob", "1980-03-31", "--protocol", "lesion", "--site", "hand", "--side", "left")
_INBOXES = """
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


@contextmanager
def serving(folder: Path, ports: Mapping[str, int]) -> Iterator[Server]:
    """The demo in that folder, with inboxes at these ports (AWAY) and the folder `documents`; the practice wants notices."""
    (folder / "documents").mkdir()
    (folder / "word").write_text("word\n")
    (folder / "inboxes.toml").write_text(_INBOXES.format(folder=folder / "documents", **ports))
    mail = {"HOST": "127.0.0.1", "PORT": str(ports["smtp"]), "SECURITY": "none", "FROM": "photos@surgery.example"}
    env = environment(folder / "var") | {f"CAPTURE_MAIL_{name}": value for name, value in mail.items()}
    env |= {"CAPTURE_INBOXES": str(folder / "inboxes.toml"), "CAPTURE_MESSAGE_SECONDS": "20"}
    with running(folder / "var", env=env) as server:
        with sqlite3.connect(folder / "var" / "capture.db") as db:
            db.execute("UPDATE practices SET notice_email = 'desk@elm.example'")
        db.close()
        yield server


def new_link(server: Server) -> str:
    """The link of a new request for three photos."""
    return str(run(server.var, "request", "create", *_ASKED, CAPTURE_ORIGIN=server.tour["address"])["link"])


def whole_journey(patient: Patient) -> str:
    """From the link to the receipt."""
    patient.come_in()
    for view in ("context", "close-up", "close-up-scale"):
        assert patient.photo(view, sample_photo(view)).status == 201
    return patient.send()

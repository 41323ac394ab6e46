"""MESH on this machine: NHS Digital's own sandbox (PyPI `mesh-sandbox`), in an environment of its own: it pins other packages."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

from capture.mailbox import Account
from tests import needs

OURS, PRACTICE, OTHER = "X26ABC1", "X26ABC2", "X26ABC3"
WORKFLOW = "TEST_WORKFLOW"
PASSWORD, SHARED_KEY = "password", "a key that all of MESH shares"
PYTHON = Path(sys.prefix) / "mesh" / "bin" / "python"


class MeshServer:
    """A sandbox, and what only its administrators do. `folder` holds messages, password and shared key."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.port = folder, url, int(url.rpartition(":")[2])

    def account(self, mailbox: str, **changes: object) -> Account:
        made = Account(self.url, mailbox, self.folder / "password", self.folder / "shared-key", seconds=10)
        return replace(made, **changes)  # type: ignore[arg-type]

    def empty(self) -> None:
        """Take every message out of every mailbox."""
        for mailbox in (OURS, PRACTICE, OTHER):
            self._admin("DELETE", f"reset/{mailbox}")

    def return_to_sender(self, message_id: str, mailbox: str = OURS) -> None:
        """What MESH does with what nobody collected in five days: it is gone, and the sender gets a report."""
        self._admin("POST", f"message/{message_id}/event", {"status": "undeliverable"})
        about = {"code": "14", "description": "not collected", "workflow_id": WORKFLOW, "linked_message_id": message_id}
        self._admin("POST", "report", {"mailbox_id": mailbox, **about})

    def _admin(self, method: str, path: str, body: object = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        asked = Request(f"{self.url}/messageexchange/admin/{path}", data, {"Content-Type": "application/json"}, method=method)
        with urlopen(asked, timeout=30) as answer:
            assert answer.status == 200


@contextmanager
def running_mesh(*options: str) -> Iterator[MeshServer]:
    """Start one, with these options of uvicorn besides, and end it with all that is in it."""
    needs.program(str(PYTHON), install="make .venv/.mesh")
    with tempfile.TemporaryDirectory(prefix="capture-mesh-") as name:
        folder = Path(name)
        (folder / "password").write_text(f"{PASSWORD}\n")
        (folder / "shared-key").write_text(f"{SHARED_KEY}\n")
        settings = {"AUTH_MODE": "full", "STORE_MODE": "file", "MAILBOXES_DATA_DIR": name, "SHARED_KEY": SHARED_KEY}
        serve = [str(PYTHON), "-m", "uvicorn", "mesh_sandbox.api:app", "--host", "127.0.0.1", "--port", "0", *options]
        log = folder / "log"
        with log.open("wb") as told, subprocess.Popen(serve, env=settings, stdout=told, stderr=told) as process:
            try:
                yield MeshServer(folder, _address(log, process))
            finally:
                process.terminate()


def _address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    for _ in range(600):
        if found := re.search(r"running on (https?://[\d.:]+)", log.read_text()):
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())

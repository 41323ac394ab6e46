"""A mailbox in MESH, the NHS's network for messages between organisations.

Both ends of a bundle's way use it: the inbox that sends (capture/inbox/mesh.py) and whoever collects. What MESH does:
https://digital.nhs.uk/developer/api-catalogue/message-exchange-for-social-care-and-health-api
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from capture.errors import Unavailable
from capture.mailbox.client import PIECE, Account, Client, Letter, body_of, named, told
from capture.outbound import check_address

__all__ = ["Account", "Head", "Letter", "Mailbox"]
IDLE = 15.0
"""Seconds for which a connection that nobody uses is kept."""


@dataclass(frozen=True)
class Head:
    """What MESH says of a message in the mailbox. A report tells in `about` which message of ours came back, and why in `code`."""

    id: str
    is_report: bool
    sender: str
    workflow: str
    local_id: str
    file_name: str
    about: str
    code: str


class Mailbox:
    """One mailbox, for any number of threads. Every call may raise CaptureError, with a code of docs/errors.md."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._idle = list[tuple[float, tuple[object, ...], Client]]()

    def check(self) -> str:
        """Shake hands, which MESH wants from every mailbox once in 24 hours."""
        with told(), self._client() as client:
            client.greet()
        return f"MESH answers for mailbox {self.account.mailbox}"

    def send(self, letter: Letter, *, is_first: bool = False) -> str:
        """Send it and give MESH's id of it, once all of it was accepted.

        Once: what an earlier try sent under the same `local_id` is left as it is, or gone on with where that broke off. `is_first`:
        there was none.
        """
        with told(), self._client() as client:
            sent = None if is_first else client.track(f"/{quote(letter.local_id, safe='')}")
            if sent is None:
                return named(client.send_message(letter.to, body_of(letter), letter.chunk, compress=False, **_headers(letter)))
            message_id = named(sent["messageId"])
            if _status(sent) == "uploading":
                client.go_on(message_id, int(sent.get("chunkCount") or 0), letter)
            return message_id

    def status(self, message_id: str) -> str:
        """What became of a message sent: accepted, acknowledged, undeliverable, error; nothing where MESH knows none of that id."""
        with told(), self._client() as client:
            sent = client.track(f"?messageID={quote(message_id, safe='')}")
            return _status(sent) if sent else ""

    def waiting(self, workflow: str, most: int) -> list[str]:
        """The ids of messages that wait in the mailbox, those that came first in front."""
        with told(), self._client() as client:
            return list(islice(client.iterate_message_ids(workflow_filter=workflow), most))

    @contextmanager
    def fetch(self, message_id: str) -> Iterator[tuple[Head, Iterator[bytes]]]:
        """A message that waits, and its bytes piece by piece. It stays in the mailbox until it is acknowledged."""
        with self._client() as client:
            with told():
                message: Any = client.retrieve_message(message_id)
            try:
                with told():
                    head = _head(message)
                yield head, _pieces(message)
            finally:
                message.close()

    def acknowledge(self, message_id: str) -> None:
        """Say that the message is safe here: MESH forgets it, and tells the sender."""
        with told(), self._client() as client:
            client.acknowledge_message(message_id)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """The client of an earlier call, whose connection is still open, or a new one; it is kept where all went well."""
        check_address(self.account.url)
        known, client = self._take()
        try:
            yield client
        except BaseException:
            client.close()
            raise
        self._idle.append((monotonic(), known, client))

    def _take(self) -> tuple[tuple[object, ...], Client]:
        """A client, and what is known of the files that it was made with."""
        account = self.account
        files = [path for path in (account.certificate_file, account.key_file, account.ca_file) if path]
        secrets = _secret(account.password_file), _secret(account.shared_key_file)
        try:
            known = (*secrets, *(path.stat().st_mtime_ns for path in files))
            return known, self._kept(known) or Client(account, *secrets)
        except OSError as error:  # of TLS too
            why = error.strerror or type(error).__name__
            raise Unavailable(code="mesh-key", hint=f"certificate_file, key_file or ca_file cannot be used: {why}") from None

    def _kept(self, known: tuple[object, ...]) -> Client | None:
        with suppress(IndexError):
            while True:
                since, before, client = self._idle.pop()
                if before == known and monotonic() - since < IDLE:
                    return client
                client.close()
        return None


def _headers(letter: Letter) -> dict[str, str]:
    return {
        "workflow_id": letter.workflow,
        "local_id": letter.local_id,
        "subject": letter.subject,
        "filename": letter.file_name,
        "content_type": "application/zip",
    }


def _status(sent: dict[str, Any]) -> str:
    return str(sent["status"]).lower()


def _head(message: Any) -> Head:
    is_report = str(message.mex_header("messagetype")).upper() == "REPORT"
    about, code = (named(message.mex_header(word)) if is_report else "" for word in ("linkedmsgid", "statuscode"))
    names = [message.sender, message.workflow_id, message.local_id, message.filename]
    sender, workflow, local_id, file_name = (str(name or "") for name in names)
    return Head(message.id(), is_report, sender, workflow, local_id, file_name, about, code)


def _pieces(message: Any) -> Iterator[bytes]:
    with told():
        while piece := message.read(PIECE):
            yield piece


def _secret(path: Path) -> str:
    try:
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(code="mesh-key", hint=f"{path}: {getattr(error, 'strerror', 'not ASCII')}") from None
    if not secret:
        raise Unavailable(code="mesh-key", hint=f"{path} is empty")
    return secret

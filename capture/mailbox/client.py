"""NHS Digital's own client for MESH as we use it, which stays in this file, and what goes wrong with it in our words."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from mesh_client import Endpoint, MeshClient, MeshError, try_get_endpoint_from_url
from mesh_client.io_helpers import SplitStream
from mesh_client.types import ListMessageResponse_v2
from urllib3.exceptions import HTTPError

from capture.errors import CaptureError, Unavailable, Undeliverable

PIECE = 256 * 1024
_STRANGE = (KeyError, IndexError, TypeError, AttributeError, ValueError)
"""What reading an answer raises that is not as MESH describes its answers."""


@dataclass(frozen=True)
class Account:
    """Whose mailbox it is and how it is reached. The files are read at each use, so that what is renewed needs no restart.

    Without `ca_file` the NHS's own authorities are trusted at the NHS's own addresses, and elsewhere those that browsers trust.
    `seconds`: the longest silence of MESH.
    """

    url: str
    mailbox: str
    password_file: Path
    shared_key_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    seconds: int = 30


@dataclass(frozen=True)
class Letter:
    """A message to be sent: `size` bytes that `read` gives piece by piece, sent in chunks of `chunk` bytes.

    Nothing that MESH logs or shows in lists (everything but the bytes) may hold patient data.
    """

    to: str
    workflow: str
    local_id: str
    subject: str
    file_name: str
    size: int
    read: Callable[[], Iterator[bytes]]
    chunk: int


class Client(MeshClient):
    """The client, following no redirect, reading nothing from the environment, trusting only who it was told to."""

    def __init__(self, account: Account, password: str, shared_key: str) -> None:
        known = try_get_endpoint_from_url(account.url)
        ca = str(account.ca_file) if account.ca_file else known.verify if known else None
        pair = (str(account.certificate_file), str(account.key_file or account.certificate_file), "")  # never asks for a passphrase
        super().__init__(
            Endpoint(account.url, ca, None, None, known and known.hostname_checks_common_name),
            account.mailbox,
            password,
            shared_key=shared_key.encode(),
            cert=pair if account.certificate_file else None,
            max_retries=0,  # the outbox tries again; and without them no chunk is held in memory
            timeout=account.seconds,
            application_name="capture",
        )
        self._session.max_redirects, self._session.trust_env = 0, False
        self._session.verify = ca or True  # what requests would trust beside it
        adapter: Any = self._session.get_adapter(account.url)
        adapter.poolmanager.connection_pool_kw["blocksize"] = PIECE  # in place of 16 KB
        self._session.headers["Accept-Encoding"] = "identity"  # sealed bytes do not get smaller

    def close(self) -> None:
        """Give its connection back."""
        self._session.close()

    def __del__(self) -> None:
        self.close()  # one that could not be made is no reason for a warning

    def greet(self) -> None:
        """Shake hands."""
        self.handshake()  # type: ignore[no-untyped-call]

    def track(self, which: str) -> dict[str, Any] | None:
        """What MESH says of a message of ours, or None; the client itself cannot ask by local id.

        The description of the API has 404 for a message that is not there in one place and 403, which elsewhere means a wrong
        password, in another; and what stands before MESH may answer 404 to everything. So either is believed only once MESH has
        taken the password.
        """
        answer = self._session.get(f"{self.mailbox_url}/outbox/tracking{which}", timeout=self._timeout)
        if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            self.greet()
            return None
        if answer.status_code == HTTPStatus.MULTIPLE_CHOICES:
            raise Undeliverable(code="mesh-twice", hint="MESH has two messages of this bundle: ask the practice which arrived")
        answer.raise_for_status()
        return dict(answer.json())

    def go_on(self, message_id: str, chunks: int, letter: Letter) -> None:
        """Send the chunks after the first again; MESH takes each by its number."""
        parts: Any = SplitStream(body_of(letter), letter.chunk)  # type: ignore[no-untyped-call]
        if chunks not in {0, len(parts)}:
            raise Undeliverable(code="mesh-half", hint=f"set chunk_mb back until it has gone: MESH waits for it in {chunks} chunks")
        for number, part in enumerate(parts, 1):
            if number > 1:
                self.send_chunk(letter.to, part, number, len(parts), compress=False, message_id=message_id)
            while part.read(PIECE):
                pass  # of the first, which MESH has

    def _inbox_v2_page(self, url: str | None = None, params: dict[str, Any] | None = None) -> ListMessageResponse_v2:
        if url and not url.startswith(f"{self.mailbox_url}/"):
            raise Unavailable(code="mesh-away", hint="MESH gives a link to another place than the mailbox")
        return super()._inbox_v2_page(url, params)


class _Reader:
    """Pieces of any length as a file that is read in lengths that others choose."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self._at = pieces, b"", 0

    def read(self, size: int) -> bytes:
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        while len(data) < size and (piece := next(self._pieces, None)) is not None:
            self._held, self._at = piece, size - len(data)
            data += piece[: self._at]
        return data


def body_of(letter: Letter) -> dict[str, Any]:
    """What the client takes for a stream whose length is known."""
    return {"Body": _Reader(letter.read()), "ContentLength": letter.size}


def named(said: object) -> str:
    """A name that MESH gives; ValueError where it is none. Other words from outside reach no log and no database."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", str(said)):
        raise ValueError
    return str(said)


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong with MESH in our words; its own may hold anything."""
    try:
        yield
    except CaptureError:
        raise
    except MeshError as error:
        raise _not_taken(error) from None
    except requests.HTTPError as error:
        status = error.response.status_code
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            hint = f"MESH answers {status}: are mailbox, password, shared key and certificate right?"
            raise Unavailable(code="mesh-refused", hint=hint) from None
        raise Unavailable(code="mesh-away", hint=f"MESH answers {status}") from None
    except requests.exceptions.SSLError:
        raise Unavailable(code="mesh-tls", hint="is it MESH, signed by ca_file, and does it know certificate_file?") from None
    except (requests.RequestException, HTTPError) as error:
        raise Unavailable(code="mesh-away", hint=f"MESH does not answer: {type(error).__name__}") from None
    except _STRANGE:
        raise Unavailable(code="mesh-away", hint="MESH gives an answer that it does not describe") from None


def _not_taken(error: MeshError) -> CaptureError:
    try:
        code = named(error.args[1]["detail"][0]["code"])
    except _STRANGE:
        code = "unknown"
    if code == "12":
        return Unavailable(code="mesh-no-mailbox", hint="MESH knows no mailbox of the recipient's name")
    if code in {"16", "17"}:
        return Unavailable(code="mesh-workflow", hint="the workflow id is not registered for one of the two mailboxes")
    return Unavailable(code="mesh-not-taken", hint=f"MESH answers with error {code}")

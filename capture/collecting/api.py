"""Bundles from the API of a Capture service (docs/api.md): https only, http to this machine itself; no redirect, no proxy."""

import http.client
import json
import re
import ssl
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from capture.collecting.base import Target, Waiting
from capture.errors import BundleError, CaptureError, NotFound, PhotosDeleted, SourceAway
from capture.sealing.records import shown

PAGE = 100
"""Bundles that are listed at a time; the API gives no more."""
_ROOT = "/api/v1/bundles"
_PIECE, _STEP = 64 * 1024, 64 * 1024
_MAX_JSON = 1 << 20
_LONGEST_WAIT = 3600
_SECONDS = 60
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+)")
_HOST = re.compile(r"[\w.:%-]+", re.ASCII)
_READ, _ACKNOWLEDGE = "bundles:read", "bundles:acknowledge"
_TRUST = "the name in --server must be the certificate's; --ca-file names the authority, if it is your own"


class ApiSource:
    """A Source: the service at `url`, called with a practice's token. `ca_file`: authorities to trust instead of the system's.

    Raises CaptureError where the address is not one to send a token to.
    """

    def __init__(self, url: str, token: str, ca_file: Path | None = None, seconds: float = _SECONDS) -> None:
        self._token, self._seconds = token, seconds
        self._host, self._port, secure = _address(url)
        try:
            self._tls = ssl.create_default_context(cafile=ca_file) if secure else None
        except ssl.SSLError:
            raise CaptureError(f"{ca_file} holds no certificates.", code="server-address", hint="give a file in PEM form") from None

    def waiting(self, collected: Container[str]) -> Sequence[Waiting]:
        """See Source."""
        found, cursor = list[Waiting](), ""
        while True:
            page = self._json("GET", f"{_ROOT}?state=waiting&limit={PAGE}{cursor}", _READ)
            try:
                found += [Waiting(str(row["id"]), str(row["receipt"])) for row in page["bundles"]]
                following = page["next"]
            except (KeyError, TypeError, BundleError):
                _strange("its list of bundles is none")
            if not following:
                return found[::-1]  # the newest came first
            cursor = f"&cursor={quote(str(following), safe='')}"

    def fetch(self, bundle: Waiting, target: Target) -> None:
        """See Source. A connection that breaks is made again as long as each brings the bundle further."""
        while True:
            had = target.held
            try:
                return self._go_on(bundle, target)
            except SourceAway:
                if target.held < had + _STEP:
                    raise

    def acknowledge(self, bundle: Waiting) -> None:
        """See Source."""
        self._json("POST", f"{_ROOT}/{bundle.id}/acknowledge", _ACKNOWLEDGE)

    def _go_on(self, bundle: Waiting, target: Target) -> None:
        """Fetch what is missing, with the last byte that is here, so that there is always something to ask for.

        Where what is here is not the beginning of what the server has, all of it is asked for.
        """
        at = max(0, target.held - 1)
        for asked in (at, 0) if at else (0,):
            headers = {"Range": f"bytes={asked}-"} if asked else {}
            with self._call("GET", f"{_ROOT}/{bundle.id}.zip", _READ, headers) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and asked:
                    continue
                begins, size = _extent(response)
                if not target.begin(response.getheader("ETag") or "", begins, size):
                    continue
                left = size - begins
                while left and (piece := _read(response, min(_PIECE, left))):
                    target.write(piece)
                    left -= len(piece)
                if left:
                    raise SourceAway("The connection broke off in the middle of a bundle.")
                return
        _strange("it sends another part of a bundle than it was asked for")

    def _json(self, method: str, path: str, scope: str) -> Any:
        with self._call(method, path, scope, {}) as response:
            try:
                return json.loads(_read(response, _MAX_JSON))
            except ValueError:
                _strange("its answer is no JSON")

    @contextmanager
    def _call(self, method: str, path: str, scope: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        """One call, for which the token needs that scope, and its answer if it is one that helps."""
        connection: http.client.HTTPConnection
        if self._tls:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._seconds, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        try:
            with _told():
                connection.request(method, path, headers={"Authorization": f"Bearer {self._token}", **headers})
                response = connection.getresponse()
            with response:
                _check(response, scope)
                yield response
        finally:
            connection.close()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong on the way to the server as SourceAway; what goes wrong with the disk in between stays what it is."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise SourceAway(f"The server's certificate is not trusted: {error.verify_message}.", hint=_TRUST) from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise SourceAway(f"The server does not answer: {why}.", hint="is --server right, and is it running?") from None


def _read(response: http.client.HTTPResponse, most: int) -> bytes:
    with _told():
        return response.read(most)


def _address(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is spoken to over TLS."""
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        named = _HOST.fullmatch(host.encode("idna").decode())  # UnicodeError, a ValueError, where a label is empty or too long
        bare = named and not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    except ValueError:
        bare = False
    if not bare or not (secure or (parts.scheme == "http" and _is_loopback(host))):
        raise CaptureError(
            "--server is not an address such as https://photos.example.nhs.uk.",
            code="server-address",
            hint="https://, a host and at most a port; http:// only to this machine itself, such as http://127.0.0.1:8000",
        )
    return host, port, secure


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check(response: http.client.HTTPResponse, scope: str) -> None:
    """Whether an answer is one that helps; otherwise an error that says what it means for whoever collects."""
    status = response.status
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
        return
    if status == HTTPStatus.UNAUTHORIZED:
        raise CaptureError(
            "The server does not take this token: it is another server's, revoked or over.",
            code="token-refused",
            hint=f"a manager makes one under Practice, Tokens, with {_READ} and {_ACKNOWLEDGE}",
        )
    if status == HTTPStatus.FORBIDDEN:
        raise CaptureError(
            f"This token may not do this: it lacks {scope}.",
            code="scope-missing",
            hint=f"a manager makes another under Practice, Tokens, with {_READ} and {_ACKNOWLEDGE}",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        after = response.getheader("Retry-After") or ""
        seconds = min(int(after), _LONGEST_WAIT) if re.fullmatch(r"\d{1,9}", after) else 0
        hint = f"it asks to try again in {seconds} seconds" if seconds else "try again later; what waits there is not lost"
        raise SourceAway(f"The server cannot answer just now ({status}).", hint=hint, retry_after=seconds)
    if status == HTTPStatus.NOT_FOUND:
        raise NotFound("The server has no such bundle, or no API at this address.")
    if status == HTTPStatus.GONE:
        raise PhotosDeleted
    if 300 <= status < 400:
        raise CaptureError(
            f"The server answers with a redirect ({status}); redirects are not followed.",
            code="server-redirects",
            hint="give --server the address that it is served at",
        )
    code, sentence = _error_of(response)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and code.startswith("part-"):
        raise BundleError(f"The server cannot send this bundle whole: {sentence}", code=code, hint="tell whoever runs the service")
    _strange(f"it says {status}, {sentence}")


def _error_of(response: http.client.HTTPResponse) -> tuple[str, str]:
    """Code and sentence of an error of the API."""
    try:
        error = json.loads(_read(response, _MAX_JSON))["error"]
        return str(error["code"]), shown(str(error["sentence"]))
    except (ValueError, LookupError, TypeError):
        return "", "without saying why"


def _extent(response: http.client.HTTPResponse) -> tuple[int, int]:
    """Where the body of an answer begins in the whole, and how many bytes the whole has."""
    whole = response.status == HTTPStatus.OK
    found = _RANGE.fullmatch(f"bytes 0-/{response.length}" if whole else response.getheader("Content-Range") or "")
    if not found:
        _strange("it does not say how long a bundle is")
    return int(found[1]), int(found[2])


def _strange(what: str) -> NoReturn:
    raise CaptureError(
        f"The server does not answer as a Capture service does: {what}.",
        code="server-strange",
        hint="is --server the address of the staff pages?",
    )

"""Webhooks over HTTPS (SECURITY 43): to an address that was looked up, checked and then used, so that a name that changes meanwhile
leads nowhere else; no redirect and no proxy; into a network of one's own only where the operator says so."""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from capture.errors import CaptureError, Unavailable
from capture.outbound import check_host

_TUNNELS = [ip_network(network) for network in ("64:ff9b::/96", "2001::/32", "2002::/16")]
"""IPv6 addresses that stand for an IPv4 address, which may be anyone's."""
_MOST_ADDRESSES = 4


class Webhooks:
    """Posts events. `networks` are those beside the public internet that may be posted to, `ca_file` certificates of authorities
    that receivers are checked against instead of the system's, `seconds` how long one try may take."""

    def __init__(self, networks: Sequence[str], ca_file: Path | None, seconds: float) -> None:
        self._networks = [ip_network(network) for network in networks]
        self._ca_file, self._seconds = ca_file, seconds

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post, and return once the answer is 2xx. CaptureError says in a sentence of ours what went wrong."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        connection = _Connection(host, port, self._look_up(host, port), self._tls(), self._seconds)
        watch = threading.Timer(self._seconds, connection.abort)  # a socket's own time starts anew with each byte
        watch.start()
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, dict(headers))
            status = connection.getresponse().status
            connection.check_time()  # an answer that was cut off in its headers looks like one that has none
        except ssl.SSLCertVerificationError:
            raise _failed("Its certificate is not valid for this address.") from None
        except (OSError, http.client.HTTPException):
            raise _failed("There was no answer in time.") from None
        finally:
            watch.cancel()
            connection.close()
        if 300 <= status < 400:
            raise _failed(f"It answered {status}; redirects are not followed.")
        if not 200 <= status < 300:
            raise _failed(f"It answered {status}.")

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise _failed("The service cannot read its list of authorities. Tell your operator.") from None

    def _look_up(self, host: str, port: int) -> list[str]:
        """The addresses of a host; CaptureError when there is none, or one among them that is not allowed."""
        try:
            addresses = check_host(host, port)
        except (Unavailable, UnicodeError):
            raise _failed("Its name leads to no address, or to one that is never allowed.") from None
        if not all(self._may_post_to(address) for address in addresses):
            raise _failed("Its name leads to an address that is not allowed.")
        return [str(address) for address in addresses][:_MOST_ADDRESSES]

    def _may_post_to(self, address: IPv4Address | IPv6Address) -> bool:
        if any(address in network for network in self._networks):
            return True
        return address.is_global and not any(address in network for network in _TUNNELS)


class _Connection(http.client.HTTPSConnection):
    """A connection to these addresses and no others, whatever the name leads to by now, for no more than these seconds in all."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], tls: ssl.SSLContext, seconds: float) -> None:
        super().__init__(host, port, context=tls)
        self._addresses, self._tls = addresses, tls
        self._end, self._over = monotonic() + seconds, False

    def connect(self) -> None:
        """To the first address that takes the connection, by TLS in the name of the host."""
        reached = self._reach()
        self.sock = tls = self._tls.wrap_socket(reached, server_hostname=self.host, do_handshake_on_connect=False)
        self.check_time()  # from here on `abort` ends what is waited for; before, there was nothing for it to end
        tls.do_handshake()

    def abort(self) -> None:
        """End whatever is waited for, and let nothing new begin."""
        self._over = True
        if self.sock:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # an SSLSocket's own takes TLS away under who reads

    def check_time(self) -> float:
        """The seconds that are left; TimeoutError when there are none."""
        left = self._end - monotonic()
        if self._over or left <= 0:
            raise TimeoutError
        return left

    def _reach(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return socket.create_connection((address, self.port), self.check_time())
        return socket.create_connection((last, self.port), self.check_time())


def _failed(sentence: str) -> CaptureError:
    return CaptureError(sentence, code="webhook-failed")

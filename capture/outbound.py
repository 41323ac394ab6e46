"""Where this service may connect to: addresses of its own configuration, and never a machine's metadata (SECURITY 43)."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from capture.errors import Unavailable

_METADATA = {"100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"}
"""Where clouds keep the secrets of a machine, besides the link-local addresses."""


def check_address(url: str) -> None:
    """Unavailable for all but https (http to this machine), and for hosts that `check_host` refuses."""
    parts = urlsplit(url)
    addresses = check_host(parts.hostname or "", parts.port or 443)
    if not (parts.scheme == "https" or (parts.scheme == "http" and all(one.is_loopback for one in addresses))):
        raise Unavailable(hint=f"{url} is refused: https only")


def check_host(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """The addresses of a host. Unavailable where it has none, or one of them is no server's."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        raise Unavailable(hint=f"{host} has no address") from None
    addresses = [ip_address(str(one).partition("%")[0]) for one in found]
    addresses = [getattr(one, "ipv4_mapped", None) or one for one in addresses]
    if any(one.is_link_local or one.is_multicast or one.is_unspecified or str(one) in _METADATA for one in addresses):
        raise Unavailable(hint=f"{host} is refused: it leads to an address of a machine's own metadata")
    return addresses

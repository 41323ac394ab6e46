"""Servers of the tests keep the ports that they were given."""

from pathlib import Path

from tests.ports import free_port


def test_no_flood_takes_them() -> None:
    """They lie below what Linux hands to connections, and none is given twice soon."""
    ports = [free_port() for _ in range(50)]
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == len(ports)
    assert max(ports) < first

"""Ports for servers that must know theirs before they start."""

import os
import random
import socket
from contextlib import suppress
from itertools import count

EACH = 2_500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw8")[2:]) % 9
_row = range(10_000 + _worker * EACH, 10_000 + (_worker + 1) * EACH)
"""Those of this worker of the run: below 32,768, from where Linux hands ports to whoever asks for any."""
_tries = count(random.randrange(EACH))  # another run may be under way on this machine


def free_port() -> int:
    """A port that stays free until its server has started, whatever floods of connections other tests make."""
    for _ in _row:
        port = _row[next(_tries) % EACH]
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")

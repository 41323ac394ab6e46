"""Coverage looks away where it would only see again what it has seen: before Python 3.12 it slows a process by half."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unmeasured() -> Iterator[None]:
    """Coverage sees nothing of this block."""
    measuring = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(measuring)

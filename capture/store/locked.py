"""Files that processes take one after another."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

PATIENCE, _LOOK = 5.0, 0.01
"""Seconds for which a file that is locked is waited for, and between two looks at it."""


@contextmanager
def locked(path: Path, flags: int, *, wait: bool = True) -> Iterator[int]:
    """The file or folder, open and locked until the end; never one that another was put in the place of meanwhile.

    OSError where it cannot be opened, BlockingIOError where somebody else has it and, after a `wait`, has it still.
    """
    until = monotonic() + (PATIENCE if wait else 0)
    while True:
        file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            _lock(file, until)  # given back by close
            if is_at(file, path):
                yield file
                return
        finally:
            os.close(file)


def is_at(file: int, path: Path) -> bool:
    """Whether this open file is the one that has that name now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise
        sleep(_LOOK)

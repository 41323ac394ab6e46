"""Files that processes take one after another."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

_LOOK = 0.01
"""Seconds between two looks at a file that is locked."""


@contextmanager
def locked(path: Path, flags: int, patience: float) -> Iterator[int]:
    """The file, open and locked until the end; never one that another was put in the place of meanwhile.

    OSError where it cannot be opened, BlockingIOError where somebody else has it for longer than `patience`, in seconds.
    """
    until = monotonic() + patience
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

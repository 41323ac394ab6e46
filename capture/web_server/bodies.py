"""Bodies of requests: in memory and never in a file (SECURITY 15), with a bound on each and on all together (SECURITY 23)."""

import threading
from dataclasses import dataclass
from io import BytesIO


@dataclass(frozen=True)
class Limits:
    """The largest body, in bytes, of a form, of a form with a photo, and of a piece of a photo."""

    form: int
    photo: int
    piece: int


class Memory:
    """Bytes that the bodies of all requests may take together."""

    def __init__(self, most: int) -> None:
        self._free, self._lock = most, threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there was room."""
        with self._lock:
            if fits := size <= self._free:
                self._free -= size
        return fits

    def give(self, size: int) -> None:
        """Back, after `take`."""
        with self._lock:
            self._free += size


class Body:
    """A request's body, in memory and never in a file (SECURITY 15). What is too much is counted and thrown away as it comes.

    The application then sees its length without it, and says that it is too large (SECURITY 20, 23).
    """

    def __init__(self, most: int, memory: Memory) -> None:
        self._most, self._memory = most, memory
        self._file, self._size, self._taken = BytesIO(), 0, 0
        self.crowded_out = False

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        """Keep more of it, if all of it can still be kept."""
        whole = self._taken == self._size
        self._size += len(data)
        if whole and self._size <= self._most and self._memory.take(len(data)):
            self._taken += len(data)
            self._file.write(data)
        else:
            self.crowded_out |= whole and self._size <= self._most
            self.close()

    def getfile(self) -> BytesIO:
        """All of it, or nothing."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give the memory back. May be called again."""
        self._memory.give(self._taken)
        self._file, self._taken = BytesIO(), 0

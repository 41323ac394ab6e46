"""A ZIP that is written as it is read, and whose size is known before: stored, sizes and checksums behind each file."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

MOST = (1 << 31) - 1
"""Bytes of an archive: beyond it ZIP needs fields of another size."""
_EACH, _END = 30 + 16 + 46, 22  # APPNOTE.TXT 4.3.7, 4.3.9, 4.3.12 (without the name, which is there twice); 4.3.16


@dataclass(frozen=True)
class Entry:
    """One file: its name in ASCII, its size in bytes, its time, and how to read it."""

    name: str
    size: int
    at: datetime
    read: Callable[[], Iterable[bytes]]


def archive_size(entries: Sequence[Entry]) -> int:
    """Bytes of the archive that `stream_archive` will give."""
    return sum(_EACH + 2 * len(entry.name) + entry.size for entry in entries) + _END


def stream_archive(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece: as much in memory as one piece of one file."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, entry.at.timetuple()[:6])
            info.create_system, info.external_attr = 3, 0o600 << 16
            with archive.open(info, "w") as file:
                for piece in entry.read():
                    file.write(piece)
                    yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """What the ZIP is written to. It cannot seek, so zipfile puts sizes and checksums behind each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: "Buffer", /) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken

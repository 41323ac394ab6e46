"""Where sealed parts lie: a folder of files, written so that they outlive a power cut. Ciphertext only. blobs_s3.py is another.

A name is `<request>/<random>.age`.
"""

import errno
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from capture.errors import NotFound, Unavailable
from capture.sealing.files import sync_folder, write_new
from capture.store.vault import make_folder

_NAME = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}\.age")
_TORN = re.compile(r"[0-9a-f]{32}/\.[0-9a-f]{16}\.part")
"""What a write leaves behind whose process died (sealing/files.py)."""
_REQUEST = re.compile(r"[0-9a-f]{32}")
MARK = ".capture-store"
"""A file that says of a folder that it is the store: one where a share is not mounted looks like a store without parts."""
NO_STORE = f"is not the store of sealed photos: neither they nor its mark {MARK} are in it"
_CHUNK = 262_144


class BlobStore(Protocol):
    """Keeps bytes under a name. `put` returns only when they are durable; a name is written once and never again."""

    def put(self, name: str, data: bytes) -> None:
        """Keep the bytes; Unavailable when that cannot be promised."""

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes in pieces; NotFound at once if there are none, Unavailable when they cannot be read."""

    def delete(self, name: str) -> None:
        """Forget them for good; a name that is not there is no error. Unavailable when that cannot be promised."""

    def names(self, after: str = "") -> Iterator[tuple[str, datetime]]:
        """Every name behind `after`, in order, with when it was written by the store's own clock; Unavailable as `read`.

        Also the names of what a write left behind that was cut off: `delete` takes them. What comes and goes meanwhile may be
        among them or not.
        """


def new_name(request_id: str) -> str:
    """A fresh name for a part of that request."""
    return f"{request_id}/{secrets.token_hex(16)}.age"


def is_name(name: str) -> bool:
    """Whether that could be the name of a part."""
    return bool(_NAME.fullmatch(name))


def check_name(name: str) -> None:
    """NotFound for what is no name: it may lead anywhere (SECURITY 22)."""
    if not is_name(name):
        raise NotFound(f"{name!r} is no name of a sealed part.")


class FolderBlobs:
    """A BlobStore in a folder of this machine; where `marked` only in one that has the mark, or parts: else it is Unavailable."""

    def __init__(self, folder: Path, *, marked: bool = False) -> None:
        self._folder = folder
        self._marked = marked
        make_folder(folder)
        sync_folder(folder.parent)

    def put(self, name: str, data: bytes) -> None:
        """See BlobStore."""
        path = self._path(name)
        self._check_here()
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)  # even if it was there: who made it may not have come that far
            write_new(path, data)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            raise Unavailable(
                code="no-space" if full else "unavailable", hint=f"a sealed part cannot be written: {error.strerror}"
            ) from error

    def read(self, name: str) -> Iterator[bytes]:
        """See BlobStore."""
        pieces = _pieces(self._path(name))
        try:
            next(pieces)  # opens the file now: what is missing must be told before anything is sent
        except NotFound:
            self._check_here()
            raise
        return pieces

    def delete(self, name: str) -> None:
        """See BlobStore."""
        path = self._folder / name if _TORN.fullmatch(name) else self._path(name)
        self._check_here()
        try:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        except FileNotFoundError:  # it went with its folder
            return
        except OSError as error:
            raise Unavailable(hint=f"a sealed part cannot be removed: {error.strerror}") from error
        with suppress(OSError):  # not empty yet
            path.parent.rmdir()

    def names(self, after: str = "") -> Iterator[tuple[str, datetime]]:
        """See BlobStore."""
        self._check_here()
        try:
            for folder in sorted(path.name for path in self._folder.iterdir() if path.name >= after.partition("/")[0]):
                for name, written in self._in(folder):
                    if name > after:
                        yield name, written
        except OSError as error:
            raise Unavailable(hint=f"the store of sealed parts cannot be read: {error.strerror}") from error

    def size(self, name: str) -> int | None:
        """The size of a part in bytes; None if it is not there or cannot be looked at."""
        try:
            return self._path(name).stat().st_size
        except OSError:
            return None

    def _check_here(self) -> None:
        if self._marked and not begin_store(self._folder, is_new=False):
            raise Unavailable(hint=f"{self._folder} {NO_STORE}; is what belongs there mounted?")

    def _in(self, folder: str) -> list[tuple[str, datetime]]:
        """The names in one folder, in order; none if it is gone by now."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in (self._folder / folder).iterdir():
                name = f"{folder}/{path.name}"
                if _NAME.fullmatch(name) or _TORN.fullmatch(name):
                    with suppress(FileNotFoundError):
                        found.append((name, datetime.fromtimestamp(path.stat().st_mtime, UTC)))
        return sorted(found)

    def _path(self, name: str) -> Path:
        check_name(name)
        return self._folder / name


def begin_store(folder: Path, *, is_new: bool) -> bool:
    """Mark a folder that is new, or that a version before has put parts into; whether it is the store."""
    if not is_store(folder) and not is_new:
        return False
    with suppress(OSError):  # another process was quicker; or no space is left, and the next look may do it
        if not (folder / MARK).exists():
            write_new(folder / MARK, b"Sealed photos of Capture lie here.\n")
    return True


def is_store(folder: Path) -> bool:
    """Whether a folder has the mark, or the folder of a request in it."""
    try:
        return (folder / MARK).exists() or any(_REQUEST.fullmatch(path.name) for path in folder.iterdir())
    except OSError:
        return False


def _pieces(path: Path) -> Iterator[bytes]:
    """The file in pieces, and before them an empty one, once it is open."""
    try:
        with path.open("rb") as file:
            yield b""
            while piece := file.read(_CHUNK):
                yield piece
    except FileNotFoundError:
        raise NotFound("A sealed photo is missing from the store.") from None
    except OSError as error:
        raise Unavailable(hint=f"a sealed part cannot be read: {error.strerror}") from error

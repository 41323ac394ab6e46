"""Files that must be whole or absent, and are never overwritten."""

import contextlib
import errno
import os
import secrets
from pathlib import Path


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file durably, under another name until it is whole. Raises `FileExistsError` if the name is taken."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def append_whole(descriptor: int, data: bytes) -> None:
    """Add all of it to a file that is open for adding, durably. OSError if that is not possible: then nothing is added.

    Where the file can only grow (`chattr +a`) the part that had room stays.
    """
    size, left = os.fstat(descriptor).st_size, memoryview(data)
    try:
        while left:  # a disk that is nearly full takes a part, and says so only by its length
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _name(temporary: Path, path: Path) -> None:
    """Give the whole file its name. Unlike a rename, a link never replaces what is there."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # no links here: FAT, some network shares
        if path.exists() or path.is_symlink():
            raise FileExistsError(path) from None
        temporary.rename(path)


def sync_folder(folder: Path, *, share: bool = False) -> None:
    """Make the names in a folder durable; in one that may be a network `share` as far as that can be asked for."""
    if os.name == "nt":  # which does not open folders, and has no need to
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (share and error.errno == errno.EINVAL):  # some shares know no such thing
            raise
    finally:
        os.close(descriptor)

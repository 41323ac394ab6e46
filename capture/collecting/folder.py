"""The folder that another system watches: finished files appear in it whole, under their names, once.

    DIR/KX7-P3Q_2026-11-22_left-forearm_close-up_2of3.jpg      finished
    DIR/.capture/lock                                          who works here
    DIR/.capture/<id>.<version>.sealed                         the ZIP as far as it has come: ciphertext
    DIR/.capture/<id>.<receipt>.staged/                        its files as they are written, each `<name>.part`
    DIR/.capture/<id>.<receipt>.ready/                         the same once all are whole and synced
    DIR/.capture/collected/<id>                                each of its files has been finished

Every step is one rename, so that a process that is killed leaves one of these states, and `finish` goes on from there. A file that
was renamed into DIR is no longer in `ready`, and is not written again even if the watching system has taken it away by then.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from capture.collecting.base import Waiting
from capture.errors import BundleError, CaptureError
from capture.sealing.files import sync_folder

_READY = re.compile(r"([0-9a-f]{32})\.([A-Z0-9-]{4,16})\.ready")
_SPARE = 64 << 20
"""Bytes that stay free on the disk."""


class Folder:
    """The folder `out`, in which this process alone collects until `close`. `mode` is that of the finished files.

    Raises CaptureError where another collects here, or where nothing can be written.
    """

    def __init__(self, out: Path, mode: int = 0o600) -> None:
        self.out, self._mode = out, mode
        self._work = out / ".capture"
        self._collected = self._work / "collected"
        for folder in (self._work, self._collected):
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent, share=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise CaptureError(f"{out} cannot be written to.", code="folder-unwritable")
        self._lock = (self._work / "lock").open("ab")
        try:
            _lock(self._lock.fileno())
        except (BlockingIOError, PermissionError):
            self._lock.close()
            raise CaptureError(
                f"Another `capture collect` works on {out}.", code="folder-busy", hint="one at a time; see who holds .capture/lock"
            ) from None
        for path in self._work.glob("*.staged"):  # of a process that was killed: it will be written anew
            shutil.rmtree(path)

    def close(self) -> None:
        """Let another process collect here."""
        self._lock.close()

    def __contains__(self, bundle_id: object) -> bool:
        """Whether that bundle was collected here before."""
        return (self._collected / str(bundle_id)).exists()

    @contextmanager
    def sealed(self, bundle: Waiting, room: float, progress: Callable[[int, int], None]) -> Iterator["Sealed"]:
        """What has come of its ZIP. `room` times its size must be free beside it; `progress` hears of bytes here and in all."""
        made = Sealed(self._work, bundle.id, room, progress)
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def staged(self, bundle: Waiting) -> Iterator["Stage"]:
        """A place to write its files in; those that were written are ready at the end of the block, if nothing went wrong."""
        place = self._work / f"{bundle.id}.{bundle.receipt}.staged"
        place.mkdir(mode=0o700)
        try:
            yield Stage(place, self.out, self._mode)
            sync_folder(place, share=True)
            place.rename(place.with_suffix(".ready"))
            sync_folder(self._work, share=True)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def ready(self) -> list[Waiting]:
        """The bundles whose files are whole and not all finished, because a process was killed."""
        return [Waiting(*found.groups()) for path in sorted(self._work.iterdir()) if (found := _READY.fullmatch(path.name))]

    def finish(self, bundle: Waiting) -> tuple[str, ...]:
        """Move its files into the folder, durably, and note it as collected: their names, but those moved by a process before.

        BundleError where another file is in the place of one.
        """
        place = self._work / f"{bundle.id}.{bundle.receipt}.ready"
        paths = sorted(place.iterdir())
        for path in paths:
            if _is_there(path, target := self.out / path.stem):
                path.unlink()
            else:
                path.rename(target)
        sync_folder(self.out, share=True)
        (self._collected / bundle.id).touch(mode=0o600)
        sync_folder(self._collected, share=True)
        self._drop(bundle.id)
        place.rmdir()
        return tuple(path.stem for path in paths)

    def drop_all_but(self, waiting: Iterable[Waiting]) -> None:
        """Forget what has come of bundles that do not wait any longer: deleted, or opened by staff."""
        for bundle_id in {path.name.partition(".")[0] for path in self._work.glob("*.sealed")} - {one.id for one in waiting}:
            self._drop(bundle_id)

    def _drop(self, bundle_id: str) -> None:
        for path in self._work.glob(f"{bundle_id}.*.sealed"):
            path.unlink()


@dataclass
class Stage:
    """Where the files of one bundle are written."""

    place: Path
    out: Path
    mode: int

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file, durably. BundleError where another file of that name is in the folder; the same may be."""
        path = self.place / f"{name}.part"
        with path.open("xb") as file:
            file.writelines(pieces)  # a loop would hold each piece while the next is made
            path.chmod(self.mode)
            file.flush()
            os.fsync(file.fileno())
        _is_there(path, self.out / name)


class Sealed:
    """A Target: the ZIP of one bundle as far as it has come, in a file whose name tells its version."""

    def __init__(self, work: Path, bundle_id: str, room: float, progress: Callable[[int, int], None]) -> None:
        self._work, self._id, self._room, self._progress = work, bundle_id, room, progress
        self._size, self.resumed = 0, False
        self.path = next(iter(work.glob(f"{bundle_id}.*.sealed")), work / f"{bundle_id}.none.sealed")
        self._file = self.path.open("ab", buffering=0)

    @property
    def held(self) -> int:
        """See Target."""
        return self._file.seek(0, os.SEEK_END)

    def begin(self, version: str, at: int, size: int) -> bool:
        """See Target."""
        path = self._work / f"{self._id}.{hashlib.sha256(version.encode()).hexdigest()[:16]}.sealed"
        if at and (path != self.path or at > self.held):
            return False
        if path != self.path:
            self._file.close()  # Windows renames no file that is open
            self.path = self.path.replace(path)
            self._file = path.open("ab", buffering=0)
        self._file.truncate(at)
        self._size, self.resumed = size, self.resumed or at > 0
        need, free = size - at + int(size * self._room) + _SPARE, shutil.disk_usage(self._work).free
        if need > free:
            raise CaptureError(
                f"There is no room for a bundle of {size:,} bytes: {free:,} are free, {need:,} are needed.",
                code="no-space",
                hint="make room; nothing was lost, the bundle waits",
            )
        return True

    def write(self, piece: bytes) -> None:
        """See Target."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._progress(self._file.tell(), self._size)

    def empty(self) -> None:
        """Forget all of it, to fetch it anew."""
        self._file.truncate(0)
        self.resumed = False

    def close(self) -> None:
        """Keep what there is for the next time; nothing at all if there is nothing."""
        empty = not self.held
        self._file.close()
        if empty:
            self.path.unlink(missing_ok=True)


def _is_there(path: Path, target: Path) -> bool:
    """Whether the target is this very file already; another in its place is an error."""
    if not os.path.lexists(target):
        return False
    if target.is_symlink() or not target.is_file() or _digest(target) != _digest(path):
        raise BundleError(f"{target.name} is there already and is not this file.", code="file-exists", hint="move it elsewhere")
    return True


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""A folder that another system watches: a directory, or a share that is mounted.

A watcher may take a file away the moment it is there, so that a file that is gone says nothing. What was put is therefore kept in
mind in the folder itself, under `.capture`, which watchers pass over: a bundle's ZIP becomes whole in a place of its own there and
leaves it by one rename, which can happen only once. A place without a ZIP is a bundle that was put.
"""

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from capture.errors import Unavailable, Undeliverable
from capture.inbox.base import BundleFiles, Placed
from capture.inbox.options import Options
from capture.sealing.archive import stream_archive
from capture.sealing.files import sync_folder

PLACES, ZIP, MARK = ".capture", "bundle.part", "put"
KEPT = timedelta(days=30)
"""For how long it is kept in mind what was put: some times as long as it is tried."""
LEFT_AFTER = 7_200.0
"""Seconds after which what was begun is not being written any more, but was left by a worker that was killed."""
_CODES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "folder-full"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "folder-read-only"),
    **dict.fromkeys((errno.ENODEV, errno.ENXIO, errno.ENOTCONN), "folder-missing"),
}


@dataclass(frozen=True)
class FolderInbox:
    """An Inbox. `path` may hold `{ods}`: folders from there on are made, those before are not. `mode` is that of the files.

    With `mounted` the last folder that is not made must be where something is mounted.
    """

    path: str
    mode: int = 0o640
    mounted: bool = False

    def put(self, bundle: BundleFiles) -> Placed:
        """See Inbox."""
        bundle.archive_size()  # refuses what no ZIP can hold
        name = f"{bundle.receipt}-{bundle.id}.zip"
        with _our_errors():
            folder = self._folder(bundle.practice)
            place, there = self._day(folder, bundle.created) / bundle.id, folder / name
            if there.exists() and not _is_same(there, bundle):
                shutil.rmtree(place, ignore_errors=True)  # so that it is put anew once the other file is gone
                raise Undeliverable(code="folder-other", hint=f"{name} lies there already and is another file")
            if not there.exists() and not place.exists():
                self._write(bundle, place)
            with suppress(FileNotFoundError):  # it left this place before
                (place / ZIP).rename(there)
                sync_folder(place, share=True)
            sync_folder(folder, share=True)
        return Placed(name)

    def check(self) -> str:
        """See Checks."""
        with _our_errors():
            top = self._top()
            if not os.access(top, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable")
        return f"{top} is there and can be written into"

    def _top(self) -> Path:
        """What must be there before: a share that is away must not fill the disk of this machine."""
        top = Path(self.path.partition("{ods}")[0].rpartition("/")[0] or "/") if "{ods}" in self.path else Path(self.path)
        if not top.is_dir() or (self.mounted and not top.is_mount()):
            raise Unavailable(code="folder-missing", hint=f"{top} is not {'mounted' if top.is_dir() else 'there'}")
        return top

    def _folder(self, ods: str) -> Path:
        """The practice's folder, made with all that is above it but for the top one."""
        top, folder = self._top(), Path(self.path.replace("{ods}", ods))
        for one in reversed([above for above in (folder, *folder.parents) if top in above.parents]):
            _make(one, self.mode | (self.mode & 0o444) >> 2)
        return folder

    def _day(self, folder: Path, created: datetime) -> Path:
        """Where it is kept in mind what patients sent that day; days that are over are forgotten."""
        places = folder / PLACES
        day = places / f"{created:%Y-%m-%d}"
        _make(places, 0o700)
        if _make(day, 0o700):
            for old in places.iterdir():
                if old.name < f"{created - KEPT:%Y-%m-%d}":
                    shutil.rmtree(old, ignore_errors=True)
        return day

    def _write(self, bundle: BundleFiles, place: Path) -> None:
        """Write the ZIP, read it back, and let it and its mark appear as `place` at once; the second of two has nothing to do."""
        for left in place.parent.glob("new-*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime >= LEFT_AFTER:
                    shutil.rmtree(left, ignore_errors=True)
        new = place.with_name(f"new-{secrets.token_hex(16)}")
        new.mkdir(mode=0o700)
        try:
            digest = hashlib.sha256()
            with (new / ZIP).open("xb") as file:
                for piece in stream_archive(bundle.checked_entries):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fchmod(file.fileno(), self.mode)
                os.fsync(file.fileno())
            with (new / ZIP).open("rb") as file:
                if hashlib.file_digest(file, "sha256").digest() != digest.digest():
                    raise Unavailable(code="folder-away", hint="what was written is not what can be read")
            (new / MARK).touch()
            sync_folder(new, share=True)
            try:
                new.rename(place)
            except OSError as error:
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                    raise
            sync_folder(place.parent, share=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def make_inbox(options: Options) -> FolderInbox:
    """The inbox that these options describe (docs/inboxes.md)."""
    path = options.text("path", form=r"/[^{}\0]*(\{ods\}[^{}\0]*)?", like="a whole path, with {ods} once if at all")
    mode = options.text("mode", "0640", form="0[0-7]{3}", like="the mode of the files, such as 0640")
    return FolderInbox(path, int(mode or "0640", 8), options.flag("mounted", default=False))


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = _CODES.get(error.errno or 0, "folder-away")
        raise Unavailable(code=code, hint=f"{errno.errorcode.get(error.errno or 0, 'error')} in the folder") from None


def _is_same(path: Path, bundle: BundleFiles) -> bool:
    """Whether the file holds this bundle, byte by byte. One that is taken away meanwhile was it."""
    try:
        with path.open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in stream_archive(bundle.checked_entries)) and not file.read(1)
    except FileNotFoundError:
        return True


def _make(folder: Path, mode: int) -> bool:
    """Make a folder; False when it is there."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    folder.chmod(mode)
    sync_folder(folder.parent, share=True)
    return True

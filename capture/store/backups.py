"""A folder of backups: the database as it was at several instants, and sealed parts, each kept once.

    blobs/<request>/<random>.age     sealed parts, as in the store
    snapshots/000001/manifest.json   what belongs to it: each file's size and SHA-256, when and from what it was made
    snapshots/000001/manifest.mac    a MAC over the manifest, by the service's own secret
    snapshots/000001/<table>.jsonl   the rows of a table (store/dumps.py)
    snapshots/000001/gone.jsonl      parts that its rows name and that were deleted from the store as it was made
    snapshots/000001/removed.jsonl   parts that were taken out of `blobs` when it was made, since nothing names them any longer

A snapshot is written beside the others under another name, synced, read back, and then renamed: it is whole or not there.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from capture.errors import BackupRefused, NotFound, Unavailable
from capture.sealing.files import sync_folder
from capture.store.blobs import BlobStore, FolderBlobs
from capture.store.dumps import rows_of
from capture.store.vault import Vault, make_folder

FORMAT = 1
GONE, REMOVED = "gone.jsonl", "removed.jsonl"
_NUMBER = re.compile(r"[0-9]{6}")


@dataclass(frozen=True)
class FileFacts:
    """A file of a snapshot: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself. `made_at` is the time just before the database was looked at; `journal` and `noted` say how
    far the journal had come then.
    """

    made_at: str
    revision: str
    journal: str
    noted: int
    parts: int
    missing: list[str]
    files: dict[str, FileFacts] = field(default_factory=dict)
    format: int = FORMAT


class Backups:
    """The folder. The vault's secret authenticates each manifest, and the manifest the rest."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder = folder
        self._snapshots = folder / "snapshots"
        self._vault = vault

    def open_parts(self) -> FolderBlobs:
        """The sealed parts that the backups hold."""
        return FolderBlobs(self.folder / "blobs")

    def list_numbers(self) -> list[int]:
        """The snapshots that are there, the oldest first."""
        if not self._snapshots.is_dir():
            return []
        return sorted(int(path.name) for path in self._snapshots.iterdir() if _NUMBER.fullmatch(path.name))

    def path(self, number: int) -> Path:
        """Where a snapshot is; BackupRefused if it is not."""
        found = self._snapshots / f"{number:06}"
        if not found.is_dir():
            numbers = ", ".join(map(str, self.list_numbers())) or "none"
            raise BackupRefused(f"There is no snapshot {number} in {self.folder}.", code="no-backup", hint=f"there are: {numbers}")
        return found

    def begin(self) -> "NewSnapshot":
        """A new snapshot, to be filled; what an earlier one left that was cut off is removed."""
        for folder in (self.folder, self._snapshots):
            make_folder(folder)
            sync_folder(folder.parent)
        for torn in self._snapshots.glob(".*.part"):
            shutil.rmtree(torn)
        path = self._snapshots / f".{secrets.token_hex(8)}.part"
        path.mkdir(mode=0o700)
        return NewSnapshot(path)

    def finish(self, new: "NewSnapshot", manifest: Manifest) -> int:
        """Write the manifest, sync everything, read it back, and let it count; its number."""
        text = json.dumps({**asdict(manifest), "files": {name: asdict(facts) for name, facts in new.files.items()}}, indent=1)
        new.write("manifest.json", [text.encode()])
        new.write("manifest.mac", [self._mac(text).encode()])
        sync_folder(new.path)
        self._verify(new.path)
        number = max(self.list_numbers(), default=0) + 1
        new.path.rename(self._snapshots / f"{number:06}")
        sync_folder(self._snapshots)
        return number

    def keep(self, count: int) -> int:
        """Remove all snapshots but the newest; how many."""
        old = self.list_numbers()[:-count]
        for number in old:
            shutil.rmtree(self.path(number))
        sync_folder(self._snapshots)
        return len(old)

    def verify(self, number: int, only: Collection[str] = ()) -> Manifest:
        """A snapshot's manifest, once its MAC and each of its files, or some `only`, were found right; BackupRefused names what is
        not.
        """
        return self._verify(self.path(number), only)

    def verified_rows(self, number: int, table: str) -> Iterator[dict[str, Any]]:
        """The rows of one of its tables, once that file was found right; BackupRefused if it is not."""
        name = f"{table}.jsonl"
        self.verify(number, [name])
        return rows_of(self.lines(number, name))

    def lines(self, number: int, name: str) -> Iterator[bytes]:
        """The lines of one of its files."""
        with (self.path(number) / name).open("rb") as file:
            yield from file

    def names(self, number: int, name: str) -> set[str]:
        """The names in one of its lists."""
        return {json.loads(line) for line in self.lines(number, name)}

    def removed_since(self, number: int) -> tuple[set[str], list[int]]:
        """The parts that later snapshots took out of the folder; and the snapshots whose list of them is not as it was written."""
        names: set[str] = set()
        unread = []
        for later in (one for one in self.list_numbers() if one > number):
            try:
                self.verify(later, [REMOVED])
                names |= self.names(later, REMOVED)
            except BackupRefused:
                unread.append(later)
        return names, unread

    def _verify(self, path: Path, only: Collection[str] = ()) -> Manifest:
        try:
            text, mac = (path / "manifest.json").read_bytes(), (path / "manifest.mac").read_bytes()
        except FileNotFoundError as error:
            raise _altered(Path(error.filename), "is missing") from None
        if mac.decode("ascii", "replace") != self._mac(text.decode("utf-8", "replace")):
            raise BackupRefused(
                f"{path / 'manifest.json'} was altered, or was made with other keys than these.",
                hint="put back the keys folder that belongs to this backup, or use another folder",
            )
        said = json.loads(text)
        if said.pop("format") != FORMAT:
            raise BackupRefused(f"{path} is of a kind that this version does not know.", hint="use a newer version")
        manifest = Manifest(**{**said, "files": {name: FileFacts(**facts) for name, facts in said["files"].items()}})
        for name in only or manifest.files:
            if not (path / name).is_file():
                raise _altered(path / name, "is missing")
            if _facts(path / name) != manifest.files[name]:
                raise _altered(path / name, "is not as it was written")
        return manifest

    def _mac(self, text: str) -> str:
        return self._vault.mac("backup", text)


class NewSnapshot:
    """A snapshot that does not count yet. `files` are those that were written, with what is known of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, FileFacts] = {}

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file and sync it."""
        digest, size = hashlib.sha256(), 0
        with (self.path / name).open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        self.files[name] = FileFacts(size, digest.hexdigest())

    def read(self, name: str) -> Iterator[bytes]:
        """The lines of a file that was written."""
        with (self.path / name).open("rb") as file:
            yield from file

    def drop(self) -> None:
        """Remove it."""
        with suppress(OSError):
            shutil.rmtree(self.path)


def json_lines(values: Iterable[Any]) -> Iterator[bytes]:
    """Each value as a line."""
    return (json.dumps(value).encode() + b"\n" for value in values)


def facts_of(parts: BlobStore, name: str) -> FileFacts:
    """What a stored part is now. Raises NotFound, Unavailable."""
    digest, size = hashlib.sha256(), 0
    for piece in parts.read(name):
        digest.update(piece)
        size += len(piece)
    return FileFacts(size, digest.hexdigest())


def is_whole(parts: BlobStore, name: str, facts: FileFacts) -> bool:
    """Whether a part is there, can be read and is as it was sealed."""
    try:
        return facts_of(parts, name) == facts
    except (NotFound, Unavailable):
        return False


def _facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return FileFacts(path.stat().st_size, digest.hexdigest())


def _altered(path: Path, what: str) -> BackupRefused:
    return BackupRefused(f"{path} {what}.", hint="try an older one: --snapshot; `capture restore --check` reads all of it")

"""Back up database and sealed parts into a folder, while the service runs."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from capture.actions.scrub import read_again
from capture.errors import BackupRefused, Conflict, NotFound, Unavailable
from capture.services import Services
from capture.store import audit, dumps, scrubbing
from capture.store.backups import GONE, REMOVED, Backups, FileFacts, Manifest, NewSnapshot, is_whole, json_lines
from capture.store.blobs import FolderBlobs, is_name
from capture.store.database import revision_of
from capture.store.locked import locked
from capture.store.models import AuditHead
from capture.store.scrubbing import StoredPart
from capture.store.vault import make_folder

TURNS = 7
"""In how many backups each part that the folder has is read again once."""


@dataclass
class BackedUp:
    """What a backup did: the snapshot's number, its parts, those copied now and their bytes, those that were there and were
    compared with their hashes now, those that it lacks, those removed.
    """

    snapshot: int = 0
    parts: int = 0
    copied: int = 0
    size: int = 0
    compared: int = 0
    missing: list[str] = field(default_factory=list)
    removed: int = 0
    dropped: int = 0


def back_up(services: Services, folder: Path, keep: int, step: Callable[[int], None] = lambda _: None) -> BackedUp:
    """Write a snapshot of the database, copy the parts that are new, and only then let it count; keep the newest `keep`.

    Of the parts that are there one in `TURNS` is read again and compared, others in each run: what has rotted is copied again.
    A part that its row names is in the backup, or was deleted from the store meanwhile and is listed as gone, or is damaged in the
    store and is named. Parts that nothing names any longer leave the folder. `step` is told of the bytes of each part.

    Conflict or BackupRefused, before anything is written, where the folder holds what this database would take for deleted.
    """
    if folder.resolve().is_relative_to(services.settings.var.resolve()):
        raise Conflict(f"{folder} is in the data folder that is to be backed up.", hint="use a folder on another disk or machine")
    make_folder(folder)
    with _alone(folder):
        backups, done = Backups(folder, services.vault), BackedUp()
        _check_goes_on(services, backups)
        made_at, position = services.clock().isoformat(), services.journal.position()
        if position is None:
            raise Unavailable(
                hint=f"{services.journal.path} is not there, so no restore could tell what ended; start the service once"
            )
        new = backups.begin()
        try:
            revision = _write_tables(services, new)
            turn = (max(backups.list_numbers(), default=0) + 1) % TURNS
            gone = _copy_parts(services, backups.open_parts(), new, done, turn, step)
            removed = list(_unnamed(backups.open_parts(), new))
            new.write(GONE, json_lines(gone))
            new.write(REMOVED, json_lines(filter(is_name, removed)))
            manifest = Manifest(made_at, revision, position.journal, position.number, done.parts, done.missing)
            done.snapshot = backups.finish(new, manifest)
        except BaseException:
            new.drop()
            raise
        for name in removed:
            backups.open_parts().delete(name)
        done.removed, done.dropped = len(removed), backups.keep(keep)
        return done


def named_parts(lines: Iterator[bytes]) -> Iterator[tuple[dict[str, Any], FileFacts]]:
    """The rows of photos that count, of a snapshot's file, with what their parts must be."""
    for row in dumps.rows_of(lines):
        if not row["replaced"]:
            yield row, FileFacts(row["sealed_size"], row["sealed_sha256"])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other backup writes into the folder meanwhile. Conflict if one does."""
    try:
        with locked(folder, os.O_RDONLY, wait=False):
            yield
    except BlockingIOError:
        raise Conflict(f"Another backup is being written to {folder}.", hint="start this one again when it has ended") from None


def _check_goes_on(services: Services, backups: Backups) -> None:
    """Of the newest snapshot that can be read this database has every audit trail, as far as it came.

    A database that was made anew has not, nor that of another service, nor one that was brought back from an older snapshot: the
    parts that they do not name would leave the folder.
    """
    numbers = backups.list_numbers()
    for number in reversed(numbers):
        try:
            ends = list(backups.verified_rows(number, AuditHead.__tablename__))
        except BackupRefused:
            if number == numbers[0]:
                raise
        else:
            with services.database.read() as db:
                if audit.has_all(db, [(end["practice_id"], end["number"], end["hash"]) for end in ends if end["number"]]):
                    return
            raise Conflict(
                f"Snapshot {number} of {backups.folder} is not from this database's past, and its photos would be lost.",
                hint="use another folder, and keep this one until you are sure that nothing is to be restored from it",
            )


def _write_tables(services: Services, new: NewSnapshot) -> str:
    """Every table as it was at one instant; the schema's revision."""
    with services.database.snapshot() as connection:
        for table in dumps.tables_of(connection):
            new.write(f"{table.name}.jsonl", dumps.dump(connection, table))
        return revision_of(connection)


def _copy_parts(
    services: Services, parts: FolderBlobs, new: NewSnapshot, done: BackedUp, turn: int, step: Callable[[int], None]
) -> list[str]:
    """Copy what is new or has rotted, each part compared with its row as it is read; those that are gone by now."""
    gone = []
    for row, facts in named_parts(new.read(f"{dumps.PARTS}.jsonl")):
        name = row["blob"]
        there = parts.size(name) == facts.size
        if there and int(name.rpartition("/")[2][:8], 16) % TURNS == turn:
            done.compared += 1
            there = is_whole(parts, name, facts)
        if not there:
            part = StoredPart(row["id"], row["request_id"], row["view"], name, facts.size, facts.sha256)
            if _copy(services, parts, part, facts):
                done.copied, done.size = done.copied + 1, done.size + facts.size
            elif _still_counts(services, row):
                done.missing.append(name)
            else:
                gone.append(name)
                continue
        done.parts += 1
        step(facts.size)
    return gone


def _copy(services: Services, parts: FolderBlobs, part: StoredPart, facts: FileFacts) -> bool:
    """Whether the store had it whole, so that now it is in the backup. Unavailable when the store is away."""
    if read_again(services, part):
        return False
    try:
        data = b"".join(services.blobs.read(part.blob))  # a part is at most as large as one photo
    except NotFound:  # deleted since it was read again
        return False
    parts.delete(part.blob)
    parts.put(part.blob, data)
    return is_whole(parts, part.blob, facts)


def _still_counts(services: Services, row: dict[str, Any]) -> bool:
    with services.database.read() as db:
        return bool(scrubbing.named_blobs(db, [row["blob"]]))


def _unnamed(parts: FolderBlobs, new: NewSnapshot) -> Iterator[str]:
    """Parts in the backup that the new snapshot does not name: both come request by request, in order."""
    rows = named_parts(new.read(f"{dumps.PARTS}.jsonl"))
    named = ((request_id, {row["blob"] for row, _ in some}) for request_id, some in groupby(rows, lambda one: one[0]["request_id"]))
    current = next(named, None)
    for request_id, names in groupby((name for name, _ in parts.names()), lambda name: name.partition("/")[0]):
        while current and current[0] < request_id:
            current = next(named, None)
        kept = current[1] if current and current[0] == request_id else set()
        yield from (name for name in names if name not in kept)

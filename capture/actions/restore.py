"""Bring a backup back: into an empty database, and only with what is known of the time since."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from capture.actions.back_up import named_parts
from capture.actions.scrub import Found, look, remove_orphans
from capture.errors import BackupRefused, Conflict
from capture.services import Services
from capture.store import audit_heads, dumps, restoring, scrubbing
from capture.store.backups import GONE, Backups, FileFacts, Manifest, is_whole
from capture.store.blobs import BlobStore
from capture.store.journal import RESTORED, Ending, Position, since
from capture.store.scrubbing import StoredPart

NOT_EMPTY = "There is a database already, and a restore writes into an empty one only."


@dataclass
class Restored:
    """What a restore did: links ended, requests deleted, members, tokens and webhooks that lost their access again, keys that were
    retired again, parts put into the store or found there, those that the backup lacks, bundles that nobody had opened.

    `unread` are later snapshots that cannot say any longer which parts left the backup with them: some may be among the missing.
    """

    snapshot: int
    made_at: str
    ended: int = 0
    deleted: int = 0
    access: int = 0
    keys: int = 0
    parts: int = 0
    missing: list[str] = field(default_factory=list)
    unopened: int = 0
    unread: list[int] = field(default_factory=list)


def check_backup(services: Services, folder: Path, number: int | None, step: Callable[[int], None] = lambda _: None) -> Restored:
    """Read a snapshot and every part that it names; changes nothing. `missing` names the parts that it lacks or that have rotted.

    BackupRefused names a file of the snapshot that is not as it was written.
    """
    return _check(_open(services, folder, number), step)


def _check(opened: "_Opened", step: Callable[[int], None]) -> Restored:
    checked = Restored(opened.number, opened.manifest.made_at, missing=list(opened.manifest.missing), unread=opened.unread)
    parts = opened.backups.open_parts()
    for row, facts in named_parts(opened.lines(dumps.PARTS)):
        if row["blob"] not in opened.lost:
            if is_whole(parts, row["blob"], facts):
                checked.parts += 1
            else:
                checked.missing.append(row["blob"])
        step(facts.size)
    return checked


def restore(
    services: Services, folder: Path, number: int | None, *, without_journal: bool, step: Callable[[int], None] = lambda _: None
) -> Restored:
    """Bring a snapshot back (the newest if `number` is None), verified first, in one transaction: killed, nothing is there.

    A part that the backup lacks, or that has rotted there, is named, and noted as damaged as the scrub would; the others come back.
    Raises BackupRefused, Conflict where there is a database already or no journal that covers the backup, Unavailable.
    """
    with services.database.building() as connection:
        if dumps.has_tables(connection):
            raise Conflict(NOT_EMPTY, code="not-empty", hint="move it away, or set CAPTURE_DATABASE or CAPTURE_VAR to another")
    opened = _open(services, folder, number)
    manifest = opened.manifest
    if not without_journal:
        _endings(services, manifest, {})  # before every part is read, since that takes its time
    done = _check(opened, step)
    now = services.clock()
    with services.database.building() as connection:
        if dumps.has_tables(connection):
            raise Conflict(NOT_EMPTY, code="not-empty", hint="another restore, or a service, was quicker")
        dumps.build(connection, manifest.revision, opened.lines)
        with services.database.session_on(connection) as db:
            endings = None if without_journal else _endings(services, manifest, restoring.heads_of(db))
            done.deleted += restoring.drop_gone(db, opened.lost - set(manifest.missing), now)
            learned = restoring.apply_rules(db, now) if endings is None else restoring.apply_endings(db, endings, now)
            done.access, done.keys = learned.access, learned.keys
            done.ended, done.deleted, done.unopened = learned.ended, done.deleted + learned.deleted, restoring.count_unopened(db)
            restoring.note_restored(db, now, backup=manifest.made_at, journal="no" if without_journal else "yes", ended=done.ended)
            missing = _fill(services, opened.backups.open_parts(), db)
            audit_heads.note_restored(db, services.settings.heads_file, services.signing_key, now, manifest.made_at)
            services.journal.begin(now)
            services.journal.note([Ending(now.isoformat(), RESTORED, "", 0, "")])
    services.database.forget_deleted()
    done.missing = [part.blob for part in missing]
    for part in missing:
        look(services, part, Found())
    return done


def mend(services: Services, folder: Path) -> tuple[list[str], list[str]]:
    """Put back damaged parts that the backup has whole; the names of those that are whole again, and of the others.

    One whose request was deleted meanwhile goes again.
    """
    backups, _ = _find(services, folder, None)
    with services.database.read() as db:
        damaged = [part for *_, part in scrubbing.list_damages(db)]
    for part in damaged:
        _put(services.blobs, backups.open_parts(), part.blob, FileFacts(part.size, part.sha256))
    found = Found()
    for part in damaged:
        look(services, part, found)
    blobs = sorted(part.blob for part in damaged)
    remove_orphans(services, blobs)
    with services.database.read() as db:
        kept = scrubbing.named_blobs(db, blobs)
    return sorted(kept - found.damaged.keys()), sorted(found.damaged)


@dataclass(frozen=True)
class _Opened:
    """A snapshot that was verified. `lost` are parts that it names and the folder need not have: deleted as it was made, or since,
    or damaged before. `unread` are the later snapshots that cannot say any longer what was deleted.
    """

    backups: Backups
    number: int
    manifest: Manifest
    lost: set[str]
    unread: list[int]

    def lines(self, table: str) -> Iterator[bytes]:
        """The rows of a table."""
        return self.backups.lines(self.number, f"{table}.jsonl")


def _open(services: Services, folder: Path, number: int | None) -> _Opened:
    backups, found = _find(services, folder, number)
    manifest = backups.verify(found)
    removed, unread = backups.removed_since(found)
    return _Opened(backups, found, manifest, backups.names(found, GONE) | set(manifest.missing) | removed, unread)


def _find(services: Services, folder: Path, number: int | None) -> tuple[Backups, int]:
    backups = Backups(folder, services.vault)
    found = number or max(backups.list_numbers(), default=0)
    if not found:
        raise BackupRefused(
            f"There is no backup in {folder}.", code="no-backup", hint="name the folder that `capture backup` writes to"
        )
    return backups, found


def _endings(services: Services, manifest: Manifest, heads: Mapping[str, int]) -> list[Ending]:
    """What ended since. Conflict where no journal says so."""
    position = Position(manifest.journal, manifest.noted)
    there = services.journal.path.exists()
    found = since(services.journal.read(), position, heads) if there else None
    if found is None:
        why = "does not cover this backup" if there else "is not there"
        raise Conflict(
            f"The journal {services.journal.path} {why}, so nothing says which links were used since.",
            code="no-journal",
            hint="put it back, or set CAPTURE_JOURNAL; else --without-journal ends every link and deletes what is due now",
        )
    return found


def _fill(services: Services, parts: BlobStore, db: Session) -> list[StoredPart]:
    """Put into the store every part that a photo still names, and leave one that is there and whole; those that are nowhere."""
    return [
        part for part in scrubbing.every_part(db) if not _put(services.blobs, parts, part.blob, FileFacts(part.size, part.sha256))
    ]


def _put(store: BlobStore, parts: BlobStore, name: str, facts: FileFacts) -> bool:
    """Whether the store has the part whole, from now on or as before."""
    if is_whole(store, name, facts):
        return True
    if not is_whole(parts, name, facts):
        return False
    store.delete(name)
    store.put(name, b"".join(parts.read(name)))
    return True


def snapshot_bytes(services: Services, folder: Path, number: int | None) -> int:
    """The bytes of all parts that a snapshot names."""
    backups, found = _find(services, folder, number)
    name = f"{dumps.PARTS}.jsonl"
    backups.verify(found, [name])
    return sum(facts.size for _, facts in named_parts(backups.lines(found, name)))

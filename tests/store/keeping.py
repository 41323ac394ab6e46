"""A service that is backed up, and the empty place that it is restored into, for the tests of backups."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import copytree
from typing import Any

from capture.actions.back_up import BackedUp, back_up
from capture.actions.note_heads import note_heads
from capture.actions.restore import Restored, restore
from capture.app import make_services
from capture.photos import Cleaner
from capture.services import Services
from capture.settings import load_settings
from capture.store import dumps
from capture.store.models import Request
from tests.builders import ARequest
from tests.conftest import Clock

ORIGIN = "https://photos.example.org"


class Place:
    """Where backups lie, and what was there before the machine was lost: keys, the journal and the ends of the audit chains."""

    def __init__(self, folder: Path, services: Services, clock: Clock, cleaner: Cleaner) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        self.services = services
        self.clock = clock
        self.cleaner = cleaner
        self._number = 0

    def back_up(self, keep: int = 7) -> BackedUp:
        """Back up what is there now."""
        note_heads(self.services)
        return back_up(self.services, self.backups, keep)

    def empty(self, database: str = "", **changed: Any) -> Services:
        """The services of another machine: the keys, the journal and the heads are there, nothing else."""
        self._number += 1
        var = self.folder / f"var{self._number}"
        var.mkdir(mode=0o700)
        copytree(self.services.settings.keys, var / "keys")
        given = {
            "var": var,
            "database": database or f"sqlite:///{var / 'capture.db'}",
            "origin": ORIGIN,
            "journal": str(self.services.settings.journal_file),
            "audit_heads": str(self.services.settings.heads_file),
            **changed,
        }
        made = make_services(load_settings({}, **given), clock=self.clock, restoring=True)
        made.cleaner.close()
        return replace(made, cleaner=self.cleaner)

    @contextmanager
    def restored(
        self, database: str = "", snapshot: int | None = None, *, without_journal: bool = False, **changed: Any
    ) -> Iterator[tuple[Services, Restored]]:
        """The services of another machine, once the backup was brought back there."""
        target = self.empty(database, **changed)
        try:
            yield target, restore(target, self.backups, snapshot, without_journal=without_journal)
        finally:
            target.database.close()


@contextmanager
def started(var: Path, database: str, clock: Clock, cleaner: Cleaner) -> Iterator[Services]:
    """A service that has just been set up."""
    made = make_services(load_settings({}, var=var, database=database, origin=ORIGIN), clock=clock)
    made.cleaner.close()
    yield replace(made, cleaner=cleaner)
    made.database.close()


def tables(services: Services) -> dict[str, list[str]]:
    """Every row of every table that is kept, in an order of its own."""
    with services.database.snapshot() as connection:
        found = {table.name: list(dumps.dump(connection, table)) for table in dumps.tables_of(connection)}
    return {
        name: sorted(json.dumps(row, default=_shown, sort_keys=True) for row in dumps.rows_of(lines))
        for name, lines in found.items()
    }


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def state_of(services: Services, asked: ARequest) -> str:
    """The state of a request, "" if it is not there."""
    with services.database.read() as db:
        found = db.get(Request, asked.id)
        return found.state if found else ""


@contextmanager
def room_for(path: Path, count: int) -> Iterator[None]:
    """A disk that has room for so many more bytes of this file: what is longer is written as far as it goes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

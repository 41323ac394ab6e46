"""No query of the store looks at more rows where there are more practices: plans on PostgreSQL, of every query that there is."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import capture.store
from capture.store import deliveries
from capture.store.database import Database
from capture.store.models import Delivery
from capture.store.practices import insert_practice
from capture.store.vault import Vault
from tests.postgres import Postgres
from tests.store.asked import Asked, prepare
from tests.store.conftest import NOW
from tests.store.england import COPIED, Crowd, load
from tests.store.plans import plans_of, undone
from tests.store.queries import ALL, BY_COMMAND, SERVICE
from tests.store.rows import add_bundle, add_request

CROWD = Crowd(practices=200, requests=12_000, photos=36_000)
MOST = 450
"""Rows that a statement may look at: some more than any one practice has of anything, and twice as many as there are practices."""
Function = tuple[str, str]
"""The file that it stands in, and its name."""


@dataclass(frozen=True)
class Crowded:
    """A database of many practices, what to ask it about, and the functions of the store that were called to make that."""

    database: Database
    asked: Asked
    called: set[Function]


@pytest.fixture(scope="module")
def crowded(postgres: Postgres, vault: Vault) -> Iterator[Crowded]:
    database = Database(postgres.create(), vault)
    database.migrate()
    load(database.url, CROWD, vault)
    with watching() as called:
        asked = prepare(database)
    yield Crowded(database, asked, called)
    database.close()


@contextmanager
def watching() -> Iterator[set[Function]]:
    """The functions that are called meanwhile."""
    called = set()

    def note(frame: FrameType, kind: str, _given: Any) -> None:
        if kind == "call":
            called.add((frame.f_code.co_filename, frame.f_code.co_name))

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


@pytest.mark.mass
@pytest.mark.parametrize("name", ALL)
def test_no_query_grows_with_the_tables(crowded: Crowded, name: str) -> None:
    """Whatever is asked is found by an index, without looking at what other practices have."""
    plans = plans_of(crowded.database, ALL[name], crowded.asked, strict=True)
    assert not [scan for scan in plans.scans if scan.split(":")[0] in COPIED]
    assert plans.rows <= MOST


def test_what_waits_behind_another_is_not_looked_at(postgres: Postgres, vault: Vault) -> None:
    """However many deliveries wait behind the first of a line, a worker that looks for what is due sees none of them."""
    database = Database(postgres.create(), vault)
    database.migrate()
    with database.write() as db:
        practice = insert_practice(db, ods="A81001", name="Demo Surgery", phone="0191 498 0123", now=NOW)
        for number in range(300):
            add_bundle(db, add_request(db, practice.id), number=number)
        db.query(Delivery).filter_by(number=0).update({"due_at": NOW + timedelta(minutes=30)})
    plans = plans_of(database, lambda db, _: deliveries.lease_due(db, NOW), None, strict=True)  # type: ignore[arg-type]
    database.close()
    assert plans.rows < 10


def test_every_query_is_looked_at(crowded: Crowded) -> None:
    """Each function of the store that is handed a session is called by one of the queries: add yours to tests/store/queries.py."""
    with watching() as called:
        for query in {**ALL, **SERVICE, **BY_COMMAND}.values():
            with undone(crowded.database) as db:
                query(db, crowded.asked)
    called |= crowded.called
    missing = []
    for path in sorted(Path(*capture.store.__path__).glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and (str(path), node.name) not in called:
                missing += [f"{path.stem}.{node.name}"] if any(_is_session(argument) for argument in node.args.args) else []
    assert not missing


def _is_session(argument: ast.arg) -> bool:
    return isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Session"

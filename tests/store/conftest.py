"""Every test of the store runs on SQLite and on a PostgreSQL that is started here, on a socket of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capture.store.database import Database
from capture.store.models import Practice
from capture.store.practices import insert_practice
from capture.store.vault import Vault
from tests.postgres import Postgres, running_postgres

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'capture.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture
def database(empty_url: str, vault: Vault) -> Iterator[Database]:
    made = Database(empty_url, vault)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def practice(database: Database) -> Practice:
    with database.write() as db:
        return insert_practice(db, ods="A81001", name="Demo Surgery", phone="0191 498 0123", now=NOW)

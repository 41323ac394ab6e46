"""Every test of the store runs on SQLite and on a PostgreSQL that is started here, on a socket of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pytest

from capture.photos import Cleaner
from capture.services import Services
from capture.store.database import Database
from capture.store.journal import Journal
from capture.store.models import Practice
from capture.store.practices import insert_practice
from capture.store.vault import Vault
from tests.builders import ARequest, make_practice, make_request
from tests.conftest import Clock
from tests.postgres import Postgres, running_postgres
from tests.store.keeping import Place

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
def journal(tmp_path: Path, vault: Vault) -> Journal:
    made = Journal(tmp_path / "journal.log", vault)
    made.begin(NOW)
    return made


@pytest.fixture
def asked(services: Services) -> ARequest:
    return make_request(services, make_practice(services))


@pytest.fixture
def place(services: Services, clock: Clock, cleaner: Cleaner, tmp_path: Path) -> Place:
    return Place(tmp_path, services, clock, cleaner)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'capture.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Path:
    """A database with its tables in a file, which tests get copies of."""
    path = tmp_path_factory.mktemp("migrated") / "capture.db"
    migrate(f"sqlite:///{path}", vault)
    return path


@pytest.fixture(scope="session")
def migrated_name(postgres: Postgres, vault: Vault) -> str:
    """The name of one on the server."""
    migrate(postgres.create("migrated"), vault)
    return "migrated"


@pytest.fixture
def database(request: pytest.FixtureRequest, kind: str, tmp_path: Path, vault: Vault) -> Iterator[Database]:
    if kind == "sqlite":
        url = f"sqlite:///{copyfile(request.getfixturevalue('migrated_file'), tmp_path / 'capture.db')}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(like=request.getfixturevalue("migrated_name"))
    made = Database(url, vault)
    yield made
    made.close()


def migrate(url: str, vault: Vault) -> None:
    made = Database(url, vault)
    made.migrate()
    made.close()


@pytest.fixture
def practice(database: Database) -> Practice:
    with database.write() as db:
        return insert_practice(db, ods="A81001", name="Demo Surgery", phone="0191 498 0123", now=NOW)

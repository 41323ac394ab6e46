"""Every test of the store runs on SQLite and on a PostgreSQL that is started here, on a socket of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from capture.store.database import Database
from capture.store.models import Practice, new_id
from capture.store.practices import insert_practice
from capture.store.vault import Vault
from tests import needs

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Postgres:
    """A PostgreSQL server of our own. `folder` holds its data and its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://capture@/{name}?host={self.folder}"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user="capture", dbname="postgres", autocommit=True)

    def create(self) -> str:
        """A new, empty database; its address."""
        name = f"capture_{new_id()}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    packaged = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), reverse=True)
    binaries = Path(needs.program("initdb", *packaged, install="apt install postgresql")).parent
    folder = Path(tempfile.mkdtemp(prefix="capture-pg-"))
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root; its package made this user
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"
    options = ["--auth=trust", "--username=capture", "--no-sync", "--encoding=UTF8", "--locale=C"]
    make = [f"{binaries}/initdb", f"--pgdata={data}", *options]
    subprocess.run([*as_user, *make], check=True, capture_output=True, cwd="/")
    serve = [f"{binaries}/postgres", "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    with subprocess.Popen([*as_user, *serve], stderr=subprocess.DEVNULL, cwd="/") as process:
        server = Postgres(folder)
        for _ in range(100):
            try:
                server.connect().close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield server
        process.terminate()
        process.wait(timeout=20)
    shutil.rmtree(folder)


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

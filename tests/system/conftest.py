"""Where workers that are killed do their work."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.postgres import Postgres
from tests.store.conftest import postgres  # noqa: F401 - the server of the tests of the store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database; nothing for the SQLite file of the folder."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder for data, in memory where there is such a disk: a process that is killed takes no disk with it."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "var"

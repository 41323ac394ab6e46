"""Workers that are killed at any point of their work, and two at once: nothing is lost and nothing doubled."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.postgres import Postgres
from tests.store.conftest import postgres  # noqa: F401 - the server of the tests of the store
from tests.system.outbox import KILLS
from tests.system.server import ROOT, environment


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


def run(act: str, var: Path, url: str) -> dict[str, Any]:
    """What tests/system/outbox.py finds."""
    command = [sys.executable, "-m", "tests.system.outbox", act, str(var), url]
    done = subprocess.run(command, cwd=ROOT, env=environment(var), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_kills(var: Path, url: str) -> None:
    """The table of faults: 200 kills, from before a lease to after a settlement, and each bundle arrives once, in order."""
    found = run("kills", var, url)
    points = found.pop("points")
    assert found == {
        "kills": KILLS,
        "lost": 0,
        "doubled": 0,
        "altered": 0,
        "in order": True,
        "deliveries": {"delivered": 320},
        "arrived": 160,
        "once": True,
        "chains": True,
    }
    assert set(points) >= {
        *("begin", "before commit", "after commit", "before put", "after put", "before fsync", "after fsync"),
        *("before rename", "after rename", "before mark_delivered", "after mark_delivered"),
    }


def test_a_race(var: Path, url: str) -> None:
    """The table of faults: two workers at once on a thousand bundles make a thousand effects, and both have work."""
    assert run("race", var, url) == {
        "effects": 1_000,
        "of": 1_000,
        "in order": True,
        "workers": 2,
        "deliveries": {"delivered": 1_000},
        "arrived": 1_000,
        "once": True,
        "chains": True,
    }

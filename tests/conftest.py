"""What every test may ask for: services on a fresh SQLite file, an application, a clock that a test sets."""

import gc
import os
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest
from argon2.profiles import RFC_9106_LOW_MEMORY
from flask import Flask

from capture.app import create_app, make_services
from capture.photos import Cleaner
from capture.services import Services
from capture.settings import load_settings
from tests.builders import APractice, make_practice
from tests.measuring import unmeasured
from tests.once import keep_what_is_compiled
from tests.s3_server import S3Server, running_s3

gc.set_threshold(50_000)  # thousands of applications are made and thrown away: looking for cycles less often saves a tenth


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failure, whatever skipped it."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome, report.longrepr = "failed", f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """What tests of the browser, and those marked as a mass, run in this process is all measured elsewhere."""
    seen = item.path.parent.name == "browser" or item.get_closest_marker("mass")
    with unmeasured() if seen else nullcontext():
        return (yield)


class Clock:
    """A time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **parts: float) -> None:
        self.time += timedelta(**parts)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def cleaner() -> Iterator[Cleaner]:
    made = Cleaner(workers=2)
    yield made
    made.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server; the workers of a run share one."""
    base = tmp_path_factory.getbasetemp()
    with running_s3((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "s3") as server:
        yield server


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for data as a first start leaves it, which every test gets a copy of: keys, and a database with all its tables."""
    var = tmp_path_factory.mktemp("empty") / "var"
    make_services(load_settings({}, var=var, origin="https://photos.example.org")).close()
    return var


@dataclass(frozen=True)
class Furnished:
    """A folder for data in which there is a practice, and that practice."""

    var: Path
    practice: APractice


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Furnished:
    """Made once, because the keys of a practice take longer than most tests; who asks for it has a copy in `services`."""
    settings = load_settings(
        {}, var=copytree(empty, tmp_path_factory.mktemp("furnished") / "var"), origin="https://photos.example.org"
    )
    made = make_services(settings, clock=Clock())
    practice = make_practice(made)
    made.close()
    return Furnished(settings.var, practice)


@pytest.fixture
def services(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, cleaner: Cleaner, empty: Path) -> Iterator[Services]:
    start = request.getfixturevalue("furnished").var if "furnished" in request.fixturenames else empty
    settings = load_settings({}, var=copytree(start, tmp_path / "var"), origin="https://photos.example.org")
    made = make_services(settings, clock=clock)
    made.cleaner.close()
    yield replace(made, cleaner=cleaner)
    made.database.close()


@pytest.fixture(autouse=True)
def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_what_is_compiled(monkeypatch)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id at next to no cost: thousands of tests hash something; one of them asks for the real cost."""
    monkeypatch.setattr("capture.store.vault.RFC_9106_LOW_MEMORY", replace(RFC_9106_LOW_MEMORY, memory_cost=64, time_cost=1))


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)

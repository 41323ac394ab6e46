"""What every test may ask for: services on a fresh SQLite file, an application, a clock that a test sets."""

import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from capture.app import create_app, make_services
from capture.photos import Cleaner
from capture.services import Services
from capture.settings import load_settings


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failure, whatever skipped it."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome, report.longrepr = "failed", f"skipped where nothing may be: {report.longrepr}"
    return report


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


@pytest.fixture
def services(tmp_path: Path, clock: Clock, cleaner: Cleaner) -> Iterator[Services]:
    settings = load_settings({}, var=tmp_path / "var", origin="https://photos.example.org")
    made = make_services(settings, clock=clock)
    made.cleaner.close()
    yield replace(made, cleaner=cleaner)
    made.database.close()


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)

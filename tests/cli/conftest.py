"""The command line on a folder of its own: CliRunner where no process is needed, since it is quicker."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from capture.app import make_services
from capture.cli import main
from capture.photos import Cleaner
from capture.services import Services
from capture.settings import load_settings
from tests.cli.collecting import Desk, Site, serving


@dataclass(frozen=True)
class Command:
    """Runs `capture` with `CAPTURE_VAR` set to `var`."""

    var: Path

    def __call__(self, *args: object, code: int = 0, text: str | None = None, **environment: str) -> Result:
        """Run it and expect that exit code; nothing but an exit may end it."""
        env = {"CAPTURE_VAR": str(self.var), **environment}
        result = CliRunner().invoke(main, [str(arg) for arg in args], env=env, input=text)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code == code, result.output
        return result

    def json(self, *args: object, code: int = 0, text: str | None = None, **environment: str) -> Any:
        """The same with --json: what it prints is one JSON value."""
        return json.loads(self(*args, "--json", code=code, text=text, **environment).stdout)


@pytest.fixture
def capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path / "var")


@pytest.fixture
def open_services(capture: Command) -> Iterator[Callable[[], Services]]:
    """The services on the folder that the commands work on, to do what patients do."""
    opened: list[Services] = []

    def make() -> Services:
        opened.append(make_services(load_settings({"CAPTURE_VAR": str(capture.var)})))
        return opened[-1]

    yield make
    for services in opened:
        services.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, cleaner: Cleaner, empty: Path) -> Iterator[Site]:
    """A service that runs, which practices collect from."""
    with serving(shutil.copytree(empty, tmp_path_factory.mktemp("site") / "var"), cleaner) as made:
        yield made


@pytest.fixture
def desk(site: Site, tmp_path: Path) -> Desk:
    return site.desk(tmp_path)

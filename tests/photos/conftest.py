"""Fixtures for photos: an outside opinion (exiftool) and one shared sandbox."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from capture.photos import Cleaner


def needs_exiftool() -> None:
    """Skip without exiftool, saying how to install it; fail instead where nothing may be skipped."""
    if not shutil.which("exiftool"):
        message = "exiftool is not installed: apt install libimage-exiftool-perl"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def exiftool() -> Callable[[bytes], dict[str, Any]]:
    """What exiftool finds in bytes, by "Group:Tag", its own figures about the file left out."""
    needs_exiftool()

    def tags(data: bytes) -> dict[str, Any]:
        ran = subprocess.run(["exiftool", "-j", "-a", "-u", "-G1", "-ee", "-"], input=data, capture_output=True, check=False)
        found: dict[str, Any] = json.loads(ran.stdout)[0]
        return {name: value for name, value in found.items() if name.split(":")[0] not in {"SourceFile", "ExifTool", "System"}}

    return tags


@pytest.fixture(scope="session")
def cleaner() -> Iterator[Cleaner]:
    """One sandbox for all tests that only clean."""
    cleaner = Cleaner()
    yield cleaner
    cleaner.close()

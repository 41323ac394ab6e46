"""An outside opinion on photos: exiftool."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.needs import program

EXIFTOOL = "apt install libimage-exiftool-perl"


@pytest.fixture(scope="session")
def exiftool() -> Callable[[bytes], dict[str, Any]]:
    """What exiftool finds in bytes, by "Group:Tag", its own figures about the file left out."""
    path = program("exiftool", install=EXIFTOOL)

    def tags(data: bytes) -> dict[str, Any]:
        ran = subprocess.run([path, "-j", "-a", "-u", "-G1", "-ee", "-"], input=data, capture_output=True, check=False)
        found: dict[str, Any] = json.loads(ran.stdout)[0]
        return {name: value for name, value in found.items() if name.split(":")[0] not in {"SourceFile", "ExifTool", "System"}}

    return tags

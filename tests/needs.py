"""What tests need besides Python: a program that is not there skips the test (with CI=true conftest.py makes that a failure)."""

import shutil

import pytest


def program(*names: str, install: str) -> str:
    """The path of the first of these programs that is there; otherwise skip with the line that installs one."""
    for name in names:
        if path := shutil.which(name):
            return path
    reason = f"{names[0]} is not here: {install}"
    pytest.skip(reason)

"""docs/patient-journey.md speaks of what is there."""

import re

from capture.settings import ROOT

PAGE = (ROOT / "docs" / "patient-journey.md").read_text("utf-8")


def test_every_file_that_it_names_is_there() -> None:
    """Templates, modules and tests that the page names are files of this project."""
    named = set(re.findall(r"`((?:\w+/)+[\w-]+\.\w+)`", PAGE))
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_every_hazard_has_a_control_that_is_shown() -> None:
    """Each row of what could harm says what stands against it, and which tests or measurements show it."""
    table = PAGE.partition("## What could harm")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 8
    assert [row[0] for row in rows if len(row) != 3 or not re.search(r"`(tests|bench)/", row[2])] == []

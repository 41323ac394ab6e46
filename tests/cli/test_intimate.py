"""A practice's choice whether adults may be asked for photos of intimate places."""

from collections.abc import Callable

import pytest

from capture.services import Services
from capture.store.audit import list_events
from capture.store.practices import find_practice
from tests.builders import make_practice
from tests.cli.conftest import Command

Opener = Callable[[], Services]


@pytest.fixture
def ods(open_services: Opener) -> str:
    return make_practice(open_services()).ods


def test_switching_it_on_and_off(capture: Command, open_services: Opener, ods: str) -> None:
    """It is off at first; each change is said, shown in the list and audited, the same again is not."""
    request = ("request", "create", "--practice", ods, "--protocol", "rash", "--site", "groin", "--side", "left", "--dob")
    assert "does not ask for photos of intimate places" in capture(*request, "1980-03-31", code=1).stderr
    assert "never of anyone under 18" in capture("practice", "set", "--ods", ods, "--intimate", "on").stdout
    assert capture.json("practice", "set", "--ods", ods, "--intimate", "on") == {"ods": ods, "intimate": "on"}
    assert "intimate places on" in capture("practice", "list").stdout
    assert "/r/" in capture(*request, "1980-03-31").stdout
    assert "under 18" in capture(*request, "2020-03-31", code=1).stderr
    assert "are not asked for" in capture("practice", "set", "--ods", ods, "--intimate", "off").stdout
    assert [row["intimate"] for row in capture.json("practice", "list")] == ["off"]
    with open_services().database.read() as db:
        practice = find_practice(db, ods)
        told = [event.action for event in list_events(db, practice.id, practice.id)]
    assert [action for action in told if "intimate" in action] == ["intimate places on", "intimate places off"]


def test_a_choice_that_cannot_be_made(capture: Command, ods: str) -> None:
    """An unknown practice and another word than on or off are refused."""
    assert "no practice Z9" in capture("practice", "set", "--ods", "Z9", "--intimate", "on", code=1).stderr
    assert "'maybe' is not one of" in capture("practice", "set", "--ods", ods, "--intimate", "maybe", code=2).stderr

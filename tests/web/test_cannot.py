"""“I cannot take this one”: kept with its reason, undone by taking the photo, read by staff."""

import json
from typing import Any

import pytest

from capture.actions.skip import REASONS, skip
from capture.errors import NotAllowed, NotFound
from capture.sealing.age import open_sealed
from capture.services import Services
from capture.store.audit import list_events
from tests.builders import ARequest, bundle_of, confirm_patient, photo_bytes
from tests.web.html import Visitor


def answers(services: Services, asked: ARequest) -> Any:
    """What staff read of the answers."""
    return json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))["answers"]


def test_a_reason_reaches_the_practice(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """The reason and the patient's own words travel sealed; the list shows the photo as one that cannot be taken."""
    page = agreed.get(agreed.get("/photos/close-up").link("I cannot take this one"))
    said = agreed.submit(page, {"reason": "reach", "words": " on my <back> "})
    assert said.location == "/photos"
    assert agreed.get("/photos").text.count("Cannot take") == 1
    agreed.send_photo(agreed.get("/photos/context"), photo_bytes("context"))
    assert agreed.submit(agreed.get("/photos/close-up-scale/cannot"), {"reason": "phone"}).location == "/check"
    assert agreed.get("/check").text.count("Cannot take") == 2
    agreed.submit(agreed.get("/check"))
    found = answers(services, asked)
    assert found["not taken: Close-up"] == "I cannot reach it: on my <back>"
    assert found["not taken: Close-up with a ruler or coin"] == "My phone cannot take this photo"
    with services.database.read() as db:
        events = list_events(db, asked.practice.id, asked.id)
    facts = [event.facts for event in events if event.action == "photo skipped"]
    assert facts == ['{"view": "close-up"}', '{"view": "close-up-scale"}']


def test_taking_the_photo_undoes_it(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """A photo that is taken after all is in the bundle, and the reason is not."""
    agreed.submit(agreed.get("/photos/close-up/cannot"), {"reason": "hurts"})
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    assert "Cannot take" not in agreed.get("/photos").text
    agreed.submit(agreed.get("/check"))
    assert not [question for question in answers(services, asked) if question.startswith("not taken")]


def test_nothing_can_be_taken(agreed: Visitor) -> None:
    """Who can take none of the photos is told to phone; there is nothing to send."""
    for view in ("context", "close-up", "close-up-scale"):
        agreed.submit(agreed.get(f"/photos/{view}/cannot"), {"reason": "rather-not"})
    assert "Phone your practice" in agreed.get("/photos").text
    assert agreed.get("/check").location == "/photos"


@pytest.mark.parametrize(
    ("values", "fields"),
    [({}, {"reason"}), ({"reason": "boredom"}, {"reason"}), ({"reason": "hurts", "words": "x" * 201}, {"words"})],
)
def test_what_is_wrong_is_said(agreed: Visitor, values: dict[str, str], fields: set[str]) -> None:
    """A missing or unknown reason and too many words are said at their field, and nothing is kept."""
    page = agreed.submit(agreed.get("/photos/close-up/cannot"), values)
    assert (page.status, set(page.errors)) == (422, fields)
    assert "Cannot take" not in agreed.get("/photos").text


def test_only_what_was_asked_for(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """A view of another protocol, one that nobody knows and one that a patient only may add cannot be skipped."""
    for view in ("overall", "none", "more-1"):
        assert agreed.get(f"/photos/{view}/cannot").status == 404
        with pytest.raises(NotFound):
            skip(services, asked.id, view, "hurts", "")


def test_not_before_the_agreement(services: Services, asked: ARequest) -> None:
    """The action itself refuses a reason before anything was agreed to."""
    confirm_patient(services, asked)
    with pytest.raises(NotAllowed):
        skip(services, asked.id, "close-up", next(iter(REASONS)), "")

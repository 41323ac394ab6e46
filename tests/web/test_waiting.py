"""What waits too long: told once, on top of the inbox, and on the patient's page."""

from datetime import timedelta

from capture.actions.flag_waiting import flag_waiting
from capture.domain.requests import State
from capture.services import Services
from capture.store.models import Practice, Request
from tests.builders import (
    APractice,
    ARequest,
    agree_patient,
    bundle_of,
    make_member,
    make_practice,
    make_request,
    make_submitted,
    photo_bytes,
    photos_of,
)
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import act, events_of, rows_on
from tests.web.html import Visitor, patient


def test_waiting_too_long(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """Photos that nobody opened for 16 open hours are flagged once, on top of the inbox; the patient is told whom to call."""
    agreed = patient(desk.client.application, asked, agree_patient(services, asked))
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes())
    agreed.submit(agreed.get("/check"))
    assert flag_waiting(services) == 0
    assert "not collected the photos yet" not in agreed.get("/sent").text
    clock.time = clock.time.replace(hour=9) + timedelta(days=2)  # Sunday 10:00 to Tuesday 9:00: 11.5 open hours
    assert flag_waiting(services) == 0
    clock.forward(hours=5)
    later = make_request(services, asked.practice, label="Came later")
    make_submitted(services, later)
    assert flag_waiting(services) == 1
    assert flag_waiting(services) == 0
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    page = desk.get("/staff/")
    assert rows_on(page)[:2] == [asked.label, "Came later"]
    assert page.text.count("Waiting too long") == 1
    assert "Nobody has opened the photos for too long" in desk.get(f"/staff/requests/{asked.id}").text
    told = agreed.get("/sent").text
    assert f"has not collected the photos yet. Phone Elm Surgery on {asked.practice.phone}" in told
    act_on = f"/staff/bundles/{bundle_of(services, asked).id}/collected"
    assert desk.open("POST", act_on, data={"csrf_token": desk.csrf("/staff/")}).status == 200
    assert "Waiting too long" not in desk.get("/staff/").text
    assert "has not collected" not in agreed.get("/sent").text
    assert events_of(services, asked).count("request flagged") == 1


def test_locked_link_is_told(services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 5: a link that was locked stands on top of the inbox, and the practice is told once."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).state = State.LOCKED
    make_submitted(services, make_request(services, asked.practice, label="Came back"))
    assert flag_waiting(services) == 1
    assert flag_waiting(services) == 0
    assert rows_on(desk.get("/staff/"))[:2] == [asked.label, "Came back"]
    assert "was told that the link is locked" in desk.get(f"/staff/requests/{asked.id}").text
    assert photos_of(services, asked) == []
    assert act(desk, asked, "cancel").status == 303


def test_each_practice_waits_for_its_own_time(services: Services, practice: APractice) -> None:
    """Opening hours and patience are the practice's own; one that is closed all week keeps nobody else waiting."""
    other = make_practice(services)
    for one in (practice, other):
        make_submitted(services, make_request(services, one))
    with services.database.write() as db:
        db.get_one(Practice, practice.id).opening_hours = "[null, null, null, null, null, null, null]"
        db.get_one(Practice, other.id).wait_hours = 1
    assert isinstance(services.clock, Clock)
    services.clock.forward(days=3)
    assert flag_waiting(services) == 1

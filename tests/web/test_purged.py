"""Pages, actions and the API once what they speak of was deleted: a clear sentence, never a failure."""

from datetime import timedelta

import pytest
from flask import Flask

from capture.actions.ask_again import Again, ask_again
from capture.actions.issue_link import Draft, issue_link
from capture.errors import Conflict, NotAllowed
from capture.services import Services
from capture.store.models import Request
from tests.builders import ARequest, agree_patient, make_member, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import act, rows_on, search
from tests.web.html import Visitor, patient
from tests.web.retention import make_attached, pass_time
from tests.web.system import error_of, make_system


def test_pages_of_what_was_deleted(services: Services, app: Flask, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """Inbox, search, request, case, dashboard, deliveries and trail go on; what needs the photos says that they were deleted."""
    seen = patient(app, asked, agree_patient(services, asked))
    bundle = make_attached(services, asked)
    assert "Kept until" in desk.get(f"/staff/requests/{asked.id}").text
    shown = desk.get(f"/staff/bundles/{bundle.id}").text
    assert f"kept here until {(clock() + timedelta(days=30)):%-d %B %Y}" in shown
    again = act(desk, asked, "again", views="close-up", reason="blurred", key="0" * 32, days="7")
    assert again.status == 201
    assert pass_time(services, clock, 30) == 1
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    page = desk.get(f"/staff/requests/{asked.id}")
    assert page.status == 200
    assert "Deleted on" in page.text
    assert "Photos and details deleted" in page.text
    assert asked.receipt in page.text
    assert asked.label not in page.text
    assert "Open photos" not in page.text
    assert "Deleted request" in rows_on(desk.get("/staff/?show=closed"))
    assert "Deleted request" in rows_on(search(desk, asked.receipt))
    for path in ("", "deliveries", "audit"):
        assert desk.get(f"/staff/practice/{path}").status == 200
    for path in (f"{bundle.id}", f"{bundle.id}/parts/bundle.json", f"{bundle.id}.zip"):
        answer = desk.get(f"/staff/bundles/{path}")
        assert answer.status == 410
        assert "These photos were deleted" in answer.text
    for name in ("collected", "attached"):
        assert desk.open("POST", f"/staff/bundles/{bundle.id}/{name}", data={"csrf_token": desk.csrf("/staff/")}).status == 410
    assert desk.get(f"/staff/requests/{asked.id}/again").status == 409
    assert seen.get("/sent").status == 404
    other = make_request(services, asked.practice)
    opened = make_submitted(services, other)
    with services.database.write() as db:
        db.get_one(Request, other.id).case_id = asked.id
    assert desk.get(f"/staff/bundles/{opened.id}").status == 200
    assert "Deleted" in desk.get(f"/staff/requests/{other.id}").text


def test_other_systems_are_told(services: Services, app: Flask, asked: ARequest, clock: Clock) -> None:
    """SECURITY 41: the API lists a purged request without a word of the patient, and answers 410 for its bundle."""
    system = make_system(app, services, asked.practice, "bundles:read", "bundles:acknowledge", "requests:read")
    bundle = make_attached(services, asked)
    assert pass_time(services, clock, 30) == 1
    told = system.get(f"/requests/{asked.id}").json
    assert (told["state"], told["label"], told["reference"], told["site"]) == ("purged", "", "", "")
    assert [row["id"] for row in system.get("/requests?state=purged").json["requests"]] == [asked.id]
    assert system.get("/bundles?state=all").json["bundles"] == []
    for path in ("", "/parts/bundle.json", ".zip"):
        assert error_of(system.get(f"/bundles/{bundle.id}{path}")) == (410, "photos-deleted")
    assert error_of(system.post(f"/bundles/{bundle.id}/acknowledge")) == (410, "photos-deleted")


def test_what_was_deleted_is_not_followed(services: Services, asked: ARequest, clock: Clock) -> None:
    """A follow-up of a deleted request is refused with a sentence, whatever date of birth is given; so is asking again."""
    make_attached(services, asked)
    assert pass_time(services, clock, 30) == 1
    follow_up = Draft("AB", asked.born, "", "", "", "follow-up", 7, "0" * 32, follows=asked.receipt)
    with pytest.raises(NotAllowed, match="The request with this receipt was deleted"):
        issue_link(services, asked.practice.id, follow_up, actor="a", asked_by="Dr Sam Okafor")
    with pytest.raises(Conflict, match="No photos of this request are here"):
        ask_again(services, asked.practice.id, asked.id, Again(("close-up",), "blurred", 7, "1" * 32), actor="a")

"""A new link in the place of an old one, and more time for one; also at the same moment as something else."""

import pytest
from flask import Flask

from capture.actions.expire import expire_due
from capture.services import Services
from capture.store.models import Request
from tests.builders import (
    AMember,
    ARequest,
    agree_patient,
    make_member,
    make_submitted,
    photo_bytes,
    take_photo,
)
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import act, events_of, link_on, new_link, state_of
from tests.web.html import Visitor, patient, staff
from tests.web.test_races import at_once


def test_new_link(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """A new link is shown once and works; the old one is gone at once, with the same answer as one that never was (SECURITY 2)."""
    page = new_link(desk, asked)
    assert page.status == 201
    again = link_on(page, asked)
    assert again.id == asked.id
    assert patient(app, asked).get(asked.path).status == 404
    visitor = patient(app, again)
    assert visitor.submit(visitor.get(again.path), again.form).location == "/photos"
    assert events_of(services, asked)[:3] == ["request drafted", "request sent", "link replaced"]
    assert "New link made; the one before stopped working by Robin Reception" in desk.get(f"/staff/requests/{asked.id}").text


def test_new_link_leaves_who_is_in_alone(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 5: whoever has given the date of birth goes on with the photos; wrong dates are counted anew for the new link."""
    agreed = patient(app, asked, agree_patient(services, asked))
    stranger = patient(app, asked)
    for _ in range(5):
        stranger.submit(stranger.get(asked.path), asked.wrong)
    again = link_on(new_link(desk, asked), asked)
    assert agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes()).status == 201
    visitor = patient(app, again)
    assert visitor.submit(visitor.get(again.path), again.form).location == "/photos"


@pytest.mark.parametrize("right", [True, False])
def test_new_link_while_the_patient_confirms(
    app: Flask, services: Services, desk: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    """A date of birth that was being checked when the link was replaced lets nobody in and counts against nobody."""
    visitor, vault = patient(app, asked), type(services.vault)
    form, check = visitor.get(asked.path), vault.check_secret

    def slow(*given: str) -> bool:
        monkeypatch.setattr(vault, "check_secret", check)
        assert new_link(desk, asked).status == 201
        return check(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(vault, "check_secret", slow)
    assert visitor.submit(form, asked.form if right else asked.wrong).status == 404
    with services.database.read() as db:
        row = db.get_one(Request, asked.id)
        assert (row.state, row.guesses) == ("sent", 0)


def test_the_form_of_a_new_link_sent_again(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """Reloading the answer makes no other link: the first one still works, and the page says why there is none to see."""
    form = desk.get(f"/staff/requests/{asked.id}/resend")
    first = link_on(desk.submit(form), asked)
    again = desk.submit(form)
    assert again.status == 409
    assert "This link was made already" in again.text
    assert desk.submit(form, {"key": ""}).status == 409
    assert patient(app, first).get(first.path).status == 200
    assert events_of(services, asked).count("link replaced") == 1


def test_two_new_links(app: Flask, services: Services, desk: Visitor, asked: ARequest, member: AMember) -> None:
    """Of links made one after the other only the last works; of four members who press at the same moment one makes one."""
    first, second = (link_on(new_link(desk, asked), asked) for _ in range(2))
    assert [patient(app, one).get(one.path).status for one in (asked, first, second)] == [404, 404, 200]
    desks = [staff(app, session_of(services, member), asked) for _ in range(4)]
    forms = [one.get(f"/staff/requests/{asked.id}/resend") for one in desks]
    pages = at_once(4, lambda number: desks[number].submit(forms[number]))
    assert sorted(page.status for page in pages) == [201, 409, 409, 409]
    (made,) = (link_on(page, asked) for page in pages if page.status == 201)
    assert [patient(app, one).get(one.path).status for one in (second, made)] == [404, 200]


@pytest.mark.parametrize(("state", "page"), [("submitted", 409), ("cancelled", 409), ("locked", 409), ("expired", 409)])
def test_no_new_link(services: Services, desk: Visitor, asked: ARequest, state: str, page: int) -> None:
    """A request that is closed, or over, gets no new link; the page of it does not offer one either."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).state = state
    assert act(desk, asked, "resend").status == desk.get(f"/staff/requests/{asked.id}/resend").status == page
    assert "Make a new link" not in desk.get(f"/staff/requests/{asked.id}").text


def test_more_time(app: Flask, services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """The link that the patient has works longer, up to 28 days from now, never shorter, and nothing is sent; it is on record."""
    assert "No text or e-mail is sent now" in desk.get(f"/staff/requests/{asked.id}").text
    assert act(desk, asked, "extend", days="14").location == f"/staff/requests/{asked.id}?did=more-time"
    clock.forward(days=10)
    assert patient(app, asked).get(asked.path).status == 200
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    refused = act(desk, asked, "extend", days="3")
    assert refused.status == 409
    assert "Choose more days" in refused.text
    assert act(desk, asked, "extend", days="15").status == act(desk, asked, "extend").status == 409
    assert "Link given more time by Robin" in desk.get(f"/staff/requests/{asked.id}").text


def test_more_time_for_an_expired_link(app: Flask, services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """An expired link works again, asks for the date of birth anew, and what had arrived is still there."""
    before = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked)
    clock.forward(days=8)
    assert expire_due(services) == 1
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    assert "It works again" in desk.get(f"/staff/requests/{asked.id}").text
    assert act(desk, asked, "extend", days="3").status == 303
    assert state_of(services, asked) == "sent"
    assert before.get("/photos").status == 404
    visitor = patient(app, asked)
    assert "1 of 3 photos" in visitor.follow(visitor.submit(visitor.get(asked.path), asked.form)).text
    assert expire_due(services) == 0


def test_more_time_races_the_expiry(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """Whichever comes first, a link that was given more time is not closed by the worker, and one that is closed can be opened."""
    clock.forward(days=8)
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    token = desk.csrf("/staff/")
    data = {"csrf_token": token, "days": "3"}

    def race(number: int) -> int:
        if number:
            return expire_due(services)
        return desk.open("POST", f"/staff/requests/{asked.id}/extend", data=data).status

    assert at_once(2, race)[0] == 303
    assert expire_due(services) == 0
    assert state_of(services, asked) == "sent"


def test_no_more_time(services: Services, desk: Visitor, asked: ARequest) -> None:
    """What was sent needs no time."""
    make_submitted(services, asked)
    assert act(desk, asked, "extend", days="7").status == 409
    assert "more time" not in desk.get(f"/staff/requests/{asked.id}").text

"""What a member reads when something cannot be done, and the way on from there."""

import pytest
from flask import Flask

from capture.services import Services
from capture.store import audit
from tests.builders import APractice, ARequest, make_member
from tests.web.conftest import session_of
from tests.web.desk import act
from tests.web.html import Page, Visitor, patient, staff


def leads_on(page: Page) -> bool:
    """Whether the page has the staff's navigation and a way back, and nothing that is for patients."""
    return page.link("Back to the inbox") == "/staff/" and "Sign out" in page.text and "If you need help" not in page.text


def test_a_member_is_told_what_happened_and_led_on(desk: Visitor, asked: ARequest) -> None:
    """A refusal says in its title what happened, in plain words, with the navigation and the way to the inbox."""
    assert act(desk, asked, "cancel").status == 303
    page = act(desk, asked, "cancel")
    assert (page.status, page.heading) == (409, "This request was already cancelled")
    assert page.title.startswith("Error: This request was already cancelled")
    assert leads_on(page)


@pytest.mark.parametrize("path", ["/staff/nothing", f"/staff/requests/{'0' * 32}", "/staff/templates/x"])
def test_a_member_at_no_page(desk: Visitor, path: str) -> None:
    """An address that leads nowhere keeps the navigation, whether or not a route begins like it."""
    page = desk.get(path)
    assert (page.status, page.heading) == (404, "Page not found")
    assert leads_on(page)


def test_a_member_with_a_form_too_old(desk: Visitor, asked: ARequest) -> None:
    """A form without its token, which nothing behind it has looked at, is answered in the staff's pages too."""
    page = desk.open("POST", f"/staff/requests/{asked.id}/cancel", data={})
    assert (page.status, page.heading) == (400, "This page was open too long")
    assert "Go back, reload it and try again." in page.text
    assert leads_on(page)


def test_a_member_whose_role_does_not_allow_it(app: Flask, services: Services, practice: APractice, asked: ARequest) -> None:
    """What a role does not allow says so in the title, and offers no more than the role may."""
    reader = staff(app, session_of(services, make_member(services, practice, role="reader")), asked)
    page = reader.get("/staff/members")
    assert (page.status, page.heading) == (403, "Only managers of the practice can do this")
    assert leads_on(page)
    assert "Members" not in page.text


def test_a_member_when_the_service_fails(desk: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page needs nothing that may be missing: a fault of ours is told in the staff's pages too, and names nothing."""

    def fail(*_given: object) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(audit, "list_events", fail)
    page = desk.get(f"/staff/requests/{asked.id}")
    assert (page.status, page.heading) == (500, "Something went wrong on our side")
    assert leads_on(page)
    assert "Jane Doe" not in page.text


def test_others_are_not_led_to_the_inbox(app: Flask, asked: ARequest) -> None:
    """Whoever is not signed in sees the plain page, at an address of the staff's too."""
    for page in (patient(app, asked).get("/nothing"), Visitor(app).get("/staff/nothing")):
        assert page.status == 404
        assert "Back to the inbox" not in page.text

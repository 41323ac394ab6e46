"""What the staff form offers of intimate places: nothing, until the practice chose to ask adults for them."""

import pytest

from capture.actions.allow_intimate import allow_intimate
from capture.domain.policies import NO_CHILD, NOT_SWITCHED_ON
from capture.errors import NotAllowed
from capture.services import Services
from tests.builders import AMember, APractice, date_fields, make_practice, make_request
from tests.web.html import Page, Visitor
from tests.web.test_consent import ADULT, CHILD, YOUNG

FORM = {"label": "A B", "site": "groin", "side": "left", "protocol": "rash", "days": "7", **date_fields(ADULT)}


def places(page: Page) -> set[str]:
    (select,) = (one for one in page.tree.iter("select") if one.get("id") == "site")
    return {one.get("value", "") for one in select.iter("option")}


def test_switched_off(desk: Visitor) -> None:
    """At first no intimate place is in the list, and one that is sent all the same is refused with the policy's words."""
    page = desk.get("/staff/requests/new")
    assert not places(page) & {"breast", "groin", "buttock"}
    assert "see the patient instead" in page.text
    refused = desk.submit(page, FORM)
    assert (refused.status, refused.errors["site"]) == (422, NOT_SWITCHED_ON)


def test_switched_on(services: Services, desk: Visitor, member: AMember) -> None:
    """Switched on, the form lists them under a warning, asks adults, and refuses everyone under 18 with the policy's words."""
    allow_intimate(services, member.practice.ods, True)
    page = desk.get("/staff/requests/new")
    assert places(page) >= {"breast", "groin", "buttock"}
    assert "Never ask anyone under 18" in page.text
    for born in (CHILD, YOUNG):
        refused = desk.submit(page, {**FORM, **date_fields(born)})
        assert (refused.status, refused.errors["site"]) == (422, NO_CHILD)
    assert desk.submit(page, FORM).status == 201


def test_it_is_this_practices_choice(services: Services, practice: APractice) -> None:
    """SECURITY 28: what one practice chose changes nothing for another, and switched off again nothing new is asked."""
    allow_intimate(services, practice.ods, True)
    assert make_request(services, practice, site="breast").id
    with pytest.raises(NotAllowed, match="does not ask"):
        make_request(services, make_practice(services), site="breast")
    allow_intimate(services, practice.ods, False)
    with pytest.raises(NotAllowed, match="does not ask"):
        make_request(services, practice, site="breast")

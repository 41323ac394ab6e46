"""Follow-up: staff ask for the same photos as last time, by the receipt of the earlier request."""

import secrets
from dataclasses import replace

import pytest
from flask import Flask

from capture.actions.allow_intimate import allow_intimate
from capture.actions.ask_again import Again, ask_again
from capture.actions.issue_link import Draft, Issued, issue_link
from capture.domain.requests import State
from capture.errors import NotAllowed
from capture.services import Services
from capture.store.models import Practice, Request
from capture.store.requests import Details, details_of, find_by_receipt, list_requests
from tests.builders import VIEWS, APractice, ARequest, agree_patient, make_practice, make_request, make_submitted
from tests.web.html import Page, Visitor, patient


def follow_up(services: Services, practice: APractice, asked: ARequest, receipt: str = "") -> Issued:
    """Ask the patient of `asked` again."""
    draft = Draft("A", asked.born, "", "", "", "follow-up", 7, secrets.token_hex(16), receipt or asked.receipt)
    return issue_link(services, practice.id, draft, actor="operator")


def asked_in(services: Services, issued: Issued) -> Details:
    with services.database.read() as db:
        return details_of(db, db.get_one(Request, issued.request_id))


def fill_in(desk: Visitor, asked: ARequest, **changes: str) -> Page:
    """The form as a page without script sends it: no part of the body, and what the radios say."""
    desk.private = ()
    page = desk.get("/staff/requests/new")
    fields = {"label": "Again", **asked.form, "protocol": "follow-up", "follows": asked.receipt, "side": ""}
    return desk.submit(page, {**fields, **changes})


@pytest.mark.parametrize("typed", ["{0}", " {0} ", "{1}", "{2}"], ids=["as shown", "spaces", "small", "no hyphen"])
def test_follow_up_takes_over_what_was_asked(
    app: Flask, services: Services, desk: Visitor, practice: APractice, typed: str
) -> None:
    """The new request has the views, the place and the side of the earlier one; its page and the patient's list say so."""
    asked = make_request(services, practice, protocol="nail")
    make_submitted(services, asked, views=("nails", "more-1"))
    receipt = asked.receipt
    page = fill_in(desk, asked, follows=typed.format(receipt, receipt.lower(), receipt.replace("-", "")))
    assert page.status == 201
    shown = desk.get(page.link("See this request"))
    assert f"Follow-up of {receipt}" in shown.text
    assert "Left forearm (back)" in shown.text
    token = page.find("input", id="link").get("value", "").rpartition("/")[2]
    request_id = page.link("See this request").rpartition("/")[2]
    again = replace(asked, id=request_id, link=f"https://photos.example.org/r/{token}", receipt="")
    tasks = patient(app, again, agree_patient(services, again)).get("/photos")
    assert [row.get("data-view") for row in tasks.tree.iter("li") if row.get("data-view")] == ["nails", "nail", "nail-side"]
    assert "same way as last time" in tasks.text


def test_follow_up_of_a_follow_up(services: Services, practice: APractice) -> None:
    """A chain of follow-ups asks for the views of the first request, and each names the one before it."""
    first = make_request(services, practice, protocol="mouth")
    second = follow_up(services, practice, first)
    third = follow_up(services, practice, first, second.receipt)
    found = asked_in(services, third)
    assert (found.protocol, found.site, found.side, found.follows) == ("mouth", "back-of-forearm", "left", second.receipt)


def test_receipt_of_another_practice(services: Services, practice: APractice, desk: Visitor) -> None:
    """SECURITY 28: another practice's receipt is told like one that nobody has, in a sentence at the field, and asks nothing."""
    other = make_request(services, make_practice(services))
    sentences = {fill_in(desk, other, follows=receipt).errors["follows"] for receipt in (other.receipt, "BBB-BBB")}
    assert sentences == {"Your practice has no request with this receipt. Check it and try again."}
    with services.database.read() as db:
        assert find_by_receipt(db, practice.id, other.receipt) is None
        assert len(list_requests(db, practice.id, set(State))) == 1  # the one that the desk's own fixture asked for


@pytest.mark.parametrize("receipt", ["", "KX7", "KX7-P3Q-2", "AEI-OU1", "<b>", "٣٣٣-٣٣٣"])
def test_text_that_is_no_receipt(desk: Visitor, asked: ARequest, receipt: str) -> None:
    """What cannot be a receipt gets a sentence that shows one, and what was typed stays."""
    page = fill_in(desk, asked, follows=receipt)
    assert page.status == 422
    assert page.errors == {"follows": "Enter the receipt of the last photos, for example KX7-P3Q"}
    assert page.form()[1]["follows"] == [receipt]


def test_receipt_of_another_patient(desk: Visitor, asked: ARequest) -> None:
    """A receipt and a date of birth that do not belong together are refused: two patients must not be mixed up."""
    page = fill_in(desk, asked, year=str(asked.born.year - 1))
    assert page.status == 422
    assert page.errors == {"follows": "The request with this receipt is for another date of birth. Check both."}


def test_receipt_without_a_follow_up(services: Services, desk: Visitor, asked: ARequest, practice: APractice) -> None:
    """A page without script sends the receipt's field along with any choice: it is left out; a program is told."""
    page = fill_in(desk, asked, protocol="rash", site="scalp")
    assert page.status == 201
    draft = Draft("A", asked.born, "", "scalp", "", "rash", 7, secrets.token_hex(16), asked.receipt)
    with pytest.raises(NotAllowed, match="follow-up only"):
        issue_link(services, practice.id, draft, actor="operator")


def test_follow_up_keeps_to_the_policies(services: Services, practice: APractice, asked: ARequest) -> None:
    """An intimate place that the practice no longer asks for is not asked for again by a follow-up."""
    allow_intimate(services, practice.ods, allowed=True)
    draft = Draft("A", asked.born, "", "groin", "left", "rash", 7, secrets.token_hex(16))
    issued = issue_link(services, practice.id, draft, actor="operator")
    assert asked_in(services, follow_up(services, practice, asked, issued.receipt)).site == "groin"
    allow_intimate(services, practice.ods, allowed=False)
    with pytest.raises(NotAllowed, match="intimate places"):
        follow_up(services, practice, asked, issued.receipt)


def test_a_case_goes_on_though_its_list_was_switched_off(services: Services, practice: APractice) -> None:
    """A manager who switches a list off ends no case: follow-ups and asking again go on, new requests do not."""
    asked = make_request(services, practice, protocol="lesion")
    make_submitted(services, asked)
    switch_off(services, practice, "lesion")
    with pytest.raises(NotAllowed, match="does not ask for these photos"):
        make_request(services, practice, protocol="lesion")
    assert asked_in(services, follow_up(services, practice, asked)).protocol == "lesion"
    again = Again((VIEWS[1],), "blurred", 7, secrets.token_hex(16))
    assert asked_in(services, ask_again(services, practice.id, asked.id, again, actor="operator")).protocol == "lesion"
    switch_off(services, practice, "lesion follow-up")
    with pytest.raises(NotAllowed, match="does not ask for these photos"):
        follow_up(services, practice, asked)


def switch_off(services: Services, practice: APractice, names: str) -> None:
    with services.database.write() as db:
        db.get_one(Practice, practice.id).protocols_off = names

"""Templates of requests: a manager saves them, whoever asks starts from one."""

import pytest
from flask import Flask

from capture.actions.save_template import MOST, TemplateDraft, save_template
from capture.errors import TooMany
from capture.services import Services
from capture.store.request_templates import list_templates
from tests.builders import AMember, make_member
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, staff
from tests.web.test_staff import FIELDS

LIST = "/staff/templates"
FORM = {"name": "Mole on arm", "site": "arm", "side": "left", "protocol": "lesion", "message": "Thank you.", "days": "3"}


def save(desk: Visitor, changes: dict[str, str]) -> Page:
    """Save the template with these changes."""
    return desk.open("POST", LIST, data={**FORM, **changes, "csrf_token": desk.csrf(LIST)})


def test_saved_and_used(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """What a manager saves, a requester finds on the form that asks, and only patient and press are left to do."""
    desk.private = ()
    assert "There are none yet" in desk.get(LIST).text
    page = desk.submit(desk.get(LIST), FORM)
    assert (page.status, page.location) == (303, f"{LIST}?did=template-saved")
    requester = staff(app, session_of(services, make_member(services, member.practice, role="requester")))
    form = requester.get(requester.get("/staff/requests/new").link("Mole on arm"))
    filled = {name: values[0] for name, values in form.form()[1].items()}
    assert {name: filled[name] for name in FORM if name != "name"} == {name: FORM[name] for name in FORM if name != "name"}
    patient = {name: FIELDS[name] for name in ("label", "day", "month", "year")}
    asked = requester.submit(form, patient)
    assert asked.status == 201
    shown = requester.get(asked.link("See this request")).text
    assert "Left arm" in shown
    assert "Thank you." in shown


def test_edited_and_deleted(desk: Visitor) -> None:
    """The same name replaces; once deleted it is offered to nobody, and its old address is not found."""
    desk.submit(desk.get(LIST), FORM)
    address = desk.get(LIST).link("Mole on arm")
    edited = desk.get(address)
    assert edited.find("input", id="name").get("value") == "Mole on arm"
    assert edited.find("input", name="days", value="3").get("checked") is not None
    assert save(desk, {"site": "nose", "side": ""}).status == 303
    text = desk.get(LIST).text
    assert text.count("Mole on arm") == 2  # the name, and once more for those who hear the button
    assert "nose" in text.partition("Mole on arm")[2].partition("Mole on arm")[0]
    assert desk.open("POST", f"{address}/delete", data={"csrf_token": desk.csrf(LIST)}).status == 303
    assert "Mole on arm" not in desk.get("/staff/requests/new").text
    assert desk.get(address).status == 404


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": "  "}, "name", "Enter a name"),
        ({"site": "moon"}, "site", "Choose the place"),
        ({"side": ""}, "side", "left or right"),
        ({"protocol": ""}, "protocol", "which photos"),
        ({"protocol": "follow-up"}, "protocol", "needs no template"),
        ({"protocol": "follow-up", "follows": "KX7-P3Q"}, "protocol", "needs no template"),
        ({"message": "x" * 301}, "message", "300 characters"),
        ({"days": "99"}, "days", "how long"),
    ],
)
def test_mistakes(services: Services, desk: Visitor, member: AMember, changes: dict[str, str], field: str, sentence: str) -> None:
    """Each mistake gets a sentence at its field, and nothing is saved."""
    page = save(desk, changes)
    assert page.status == 422
    assert sentence in page.errors[field]
    with services.database.read() as db:
        assert list_templates(db, member.practice.id) == []


@pytest.mark.parametrize("role", ["requester", "reader"])
def test_who_may(app: Flask, services: Services, member: AMember, role: str) -> None:
    """Only managers see, save and delete templates; the others are told whom to ask."""
    template = TemplateDraft("Mole", "back", "", "lesion", "", 7)
    template_id = save_template(services, member.practice.id, template, actor=member.id)
    visitor = staff(app, session_of(services, make_member(services, member.practice, role=role)))
    token = {"csrf_token": visitor.csrf("/staff/")}
    for method, path in (("GET", LIST), ("GET", f"{LIST}/{template_id}"), ("POST", LIST), ("POST", f"{LIST}/{template_id}/delete")):
        page = visitor.open(method, path, data=token if method == "POST" else None)
        assert page.status == 403
        assert "Only managers" in page.text
    assert visitor.get(f"/staff/requests/new/from/{template_id}").status == (200 if role == "requester" else 403)


def test_no_more_than_fifty(services: Services, member: AMember) -> None:
    """Past fifty a new name is refused with a sentence, and one that is there can still be changed."""
    for number in range(MOST):
        draft = TemplateDraft(f"Number {number}", "back", "", "lesion", "", 7)
        save_template(services, member.practice.id, draft, actor="operator")
    save_template(services, member.practice.id, draft, actor="operator")
    with pytest.raises(TooMany, match="Delete one first"):
        save_template(services, member.practice.id, TemplateDraft("One more", "back", "", "lesion", "", 7), actor="operator")

"""That something was done is said once, on the page that follows, without a word about anyone in its address."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from flask import Flask

from capture.actions.save_template import TemplateDraft, save_template
from capture.services import Services
from capture.web.done import DONE
from tests.builders import AMember, ARequest, bundle_of, make_invitation, make_member, make_submitted
from tests.web.desk import act
from tests.web.html import Page, Visitor


def said(page: Page) -> str:
    """The one line that says what was done; empty without one."""
    lines: list[Element] = [one for one in page.tree.iter("p") if one.get("class") == "app-saved"]
    assert len(lines) < 2
    assert all(one.get("role") == "status" for one in lines)
    return " ".join("".join(line.itertext()) for line in lines)


def press(desk: Visitor, path: str, **fields: str) -> Page:
    return desk.follow(desk.open("POST", path, data={"csrf_token": desk.csrf("/staff/"), **fields}))


def cancel(_services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    return desk.follow(act(desk, asked, "cancel"))


def extend(_services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    return desk.follow(act(desk, asked, "extend", days="14"))


def take_back(services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    make_submitted(services, asked)
    for step in ("collected", "attached"):
        press(desk, f"/staff/bundles/{bundle_of(services, asked).id}/{step}")
    return desk.follow(act(desk, asked, "not-attached"))


def purge(services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    make_submitted(services, asked)
    return desk.follow(act(desk, asked, "delete"))


def remove(services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    return press(desk, f"/staff/members/{make_member(services, asked.practice).id}/remove")


def change(services: Services, desk: Visitor, asked: ARequest, _member: AMember) -> Page:
    return press(desk, f"/staff/members/{make_member(services, asked.practice).id}/role", role="reader")


def withdraw(services: Services, desk: Visitor, asked: ARequest, member: AMember) -> Page:
    return press(desk, f"/staff/members/invitations/{make_invitation(services, asked.practice, member)[0]}/withdraw")


def save(_services: Services, desk: Visitor, _asked: ARequest, _member: AMember) -> Page:
    fields = {"name": "Mole", "site": "back", "protocol": "lesion", "message": "", "days": "7"}
    return press(desk, "/staff/templates", **fields)


def delete(services: Services, desk: Visitor, asked: ARequest, member: AMember) -> Page:
    made = save_template(services, asked.practice.id, TemplateDraft("Mole", "back", "", "lesion", "", 7), actor=member.id)
    return press(desk, f"/staff/templates/{made}/delete")


WAYS: dict[str, Callable[[Services, Visitor, ARequest, AMember], Page]] = {
    "cancelled": cancel,
    "more-time": extend,
    "not-attached": take_back,
    "deleted": purge,
    "member-removed": remove,
    "role-changed": change,
    "invitation-withdrawn": withdraw,
    "template-saved": save,
    "template-deleted": delete,
}


@pytest.mark.parametrize("word", DONE)
def test_what_was_done_is_said(services: Services, desk: Visitor, asked: ARequest, member: AMember, word: str) -> None:
    """Each of these acts ends on a page that says on top that it was done; what its address says is one word of a closed list."""
    page = WAYS[word](services, desk, asked, member)
    assert page.status == 200
    assert page.response.request.query_string == f"did={word}".encode()
    assert said(page) == DONE[word]


@pytest.mark.parametrize("path", ["/staff/", "/staff/?did=", "/staff/?did=Jane+was+here", "/staff/nothing?did=cancelled"])
def test_nothing_else_is_said(app: Flask, desk: Visitor, path: str) -> None:
    """Where nothing was done nothing is said, and an address cannot put words of its own on the page."""
    page = desk.get(path)
    assert said(page) == ""
    assert "Jane" not in page.text


def test_templates_stand_above_the_form(services: Services, desk: Visitor, asked: ARequest, member: AMember) -> None:
    """Whoever has saved a template sees it without scrolling past the form."""
    save(services, desk, asked, member)
    shown = desk.get("/staff/templates").text
    assert shown.index("Mole") < shown.index("Name of the template")

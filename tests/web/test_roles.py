"""What each role may do: a requester asks, a reader opens, a manager does both."""

import pytest
from flask import Flask

from capture.services import Services
from tests.builders import APractice, ARequest, make_member, make_request, make_submitted
from tests.web.conftest import session_of
from tests.web.html import staff

ROLES = [("requester", True, False), ("reader", False, True), ("manager", True, True)]


@pytest.mark.parametrize(("role", "asks", "opens"), ROLES, ids=[role for role, *_ in ROLES])
def test_a_role_does_what_it_may_and_is_offered_no_more(
    app: Flask, services: Services, practice: APractice, asked: ARequest, role: str, asks: bool, opens: bool
) -> None:
    """What the role does not allow answers 403 with the reason, changes nothing, and is not offered by the pages."""
    bundle = make_submitted(services, make_request(services, practice))
    visitor = staff(app, session_of(services, make_member(services, practice, role=role)), asked)
    inbox = visitor.get("/staff/").data.decode()
    assert ("/staff/requests/new" in inbox) is asks
    assert (f"/staff/bundles/{bundle.id}" in inbox) is opens
    assert visitor.get("/staff/requests/new").status == (200 if asks else 403)
    assert visitor.get(f"/staff/bundles/{bundle.id}").status == (200 if opens else 403)
    for path in (".zip", "/parts/bundle.json"):
        assert visitor.get(f"/staff/bundles/{bundle.id}{path}").status == (200 if opens else 403)
    cancel = f"/staff/requests/{asked.id}/cancel"
    shown = visitor.get(f"/staff/requests/{asked.id}")
    assert (cancel in shown.data.decode()) is asks
    token = visitor.csrf("/staff/")
    assert visitor.open("POST", cancel, data={"csrf_token": token}).status == (303 if asks else 403)

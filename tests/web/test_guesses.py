"""SECURITY 5: the last guess closes the link also where the process that counted it died before it could look at it."""

import pytest
from flask import Flask

from capture.actions.expire import expire_due
from capture.services import Services
from capture.store.models import Request
from tests.builders import ARequest, confirm_patient
from tests.conftest import Clock
from tests.web.html import Visitor, patient


class Killed(BaseException):
    """The end of a process, at this line."""


@pytest.fixture
def dying(services: Services, visitor: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """The 20th wrong date was counted, and then the process died."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 19
    page = visitor.get(asked.path)

    def die(*_args: object) -> bool:
        raise Killed

    monkeypatch.setattr(type(services.vault), "check_secret", die)
    with pytest.raises(Killed):
        visitor.submit(page, asked.wrong)
    return visitor


def test_the_sweep_locks_it(services: Services, dying: Visitor, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """The link is closed at once, and the sweep that comes when the guess can no longer be looked at tells the practice."""
    assert dying.get(asked.path).status == 404
    expire_due(services)
    assert "Locked" not in desk.get("/staff/").text
    clock.forward(minutes=15, seconds=1)
    for _ in range(2):
        expire_due(services)
    shown = desk.get(f"/staff/requests/{asked.id}").text
    assert shown.count("Link locked after 20 wrong dates of birth") == 1
    assert "Locked: wrong date of birth" in shown


def test_the_patient_is_not_shut_out(
    app: Flask, services: Services, visitor: Visitor, desk: Visitor, asked: ARequest, clock: Clock
) -> None:
    """Who has confirmed already goes on; the practice is told once all the same."""
    inside = patient(app, asked, confirm_patient(services, asked))
    with services.database.write() as db:
        request = db.get_one(Request, asked.id)
        request.guesses, request.wait_until = 20, clock()
    clock.forward(seconds=1)
    for _ in range(2):
        expire_due(services)
    shown = desk.get(f"/staff/requests/{asked.id}").text
    assert shown.count("Link locked after 20 wrong dates of birth") == 1
    assert inside.get("/agree").status == 200
    assert visitor.get(asked.path).status == 404


def test_a_right_last_guess_lets_the_patient_in(services: Services, visitor: Visitor, asked: ARequest, clock: Clock) -> None:
    """The 20th guess may be right: nothing locks the link behind it."""
    with services.database.write() as db:
        db.get_one(Request, asked.id).guesses = 19
    assert visitor.submit(visitor.get(asked.path), asked.form).location == "/photos"
    clock.forward(minutes=16)
    expire_due(services)
    with services.database.read() as db:
        row = db.get_one(Request, asked.id)
        assert (row.state, row.guesses, row.wait_until) == ("confirmed", 19, None)

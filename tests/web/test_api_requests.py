"""The API for requests: SECURITY 3 and 23 for other systems; asking once, lists, one request, cancelling."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from capture.actions.allow_intimate import allow_intimate
from capture.domain.links import token_hash
from capture.domain.policies import NO_CHILD, NOT_SWITCHED_ON
from capture.notify.base import Message
from capture.services import Services
from capture.store import requests
from capture.store.messages import MessageRow
from capture.store.models import AuditEvent, Request
from tests.builders import APractice, ARequest, agree_patient, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import app_with
from tests.web.html import Visitor
from tests.web.system import ROOT, System, error_of, make_system
from tests.web.test_races import at_once


@pytest.fixture
def system(app: Flask, services: Services, practice: APractice) -> System:
    return make_system(app, services, practice)


def test_asking(app: Flask, services: Services, practice: APractice, system: System) -> None:
    """A system asks: it gets the link, which works; the request is the practice's, and says which system asked."""
    answer = system.ask(asked_by="Dr Sam Okafor", days=3, message="Use a ruler.", nhs_number="943 476 5919")
    assert answer.status_code == 201
    told = answer.json
    assert set(told) == {"id", "receipt", "state", "issued_at", "expires_at", "submitted_at", "changed_at", "link"}
    assert answer.headers["Location"] == f"{ROOT}/requests/{told['id']}"
    assert told["state"] == "sent"
    asked = ARequest(told["id"], told["link"], told["receipt"], practice, "", "", date(1957, 8, 23))
    assert agree_patient(services, asked)
    with services.database.read() as db:
        row = requests.find_request(db, practice.id, told["id"])
        details = requests.details_of(db, row)
        assert row.expires_at - row.issued_at == timedelta(days=3)
        assert (details.asked_by, details.nhs_number, details.message) == ("Dr Sam Okafor", "9434765919", "Use a ruler.")
        assert {event.actor for event in db.query(AuditEvent).filter_by(action="request sent")} == {f"token:{system.token_id}"}
    assert Visitor(app).get(asked.path).status == 200


def test_the_link_by_text_and_by_mail(services: Services, practice: APractice, system: System) -> None:
    """With a number or an address the service sends the link itself; where it cannot, or they are none, nothing is asked."""
    sending = replace(services, messengers={"sms": NoCarrier(), "email": NoCarrier()})
    carried = System(app_with(sending), system.token)
    told = carried.ask(phone="07911 123456", email="pat@example.com").json
    with services.database.read() as db:
        rows = db.query(MessageRow).filter_by(request_id=told["id"], kind="link").all()
        assert {row.channel: letter_to(db, row) for row in rows} == {"sms": "+447911123456", "email": "pat@example.com"}
    for change in ({"phone": "0191 498 0456"}, {"email": "nobody"}):
        assert error_of(carried.ask(**change)) == (422, "cannot-ask")
    for change in ({"phone": "07911 123456"}, {"email": "pat@example.com"}):
        assert error_of(system.ask(**change)) == (422, "not-valid")
    with services.database.read() as db:
        assert db.query(Request).count() == 1


class NoCarrier:
    """A messenger that is set up; nothing is handed to it here."""

    def send(self, message: Message) -> str:
        raise AssertionError(message.id)

    def check(self) -> str:
        raise AssertionError


def letter_to(db: Session, row: MessageRow) -> str:
    """Whom a message that waits goes to."""
    to: str = db.info["vault"].open(row.to_sealed, f"messages.to/{row.id}")
    return to


def test_who_asks_is_the_system_where_nobody_is_named(services: Services, practice: APractice, system: System) -> None:
    """Without `asked_by` staff read the token's name, and without `days` the link works as long as usual."""
    told = system.ask().json
    with services.database.read() as db:
        row = requests.find_request(db, practice.id, told["id"])
        assert requests.details_of(db, row).asked_by == "Record system"
        assert row.expires_at - row.issued_at == timedelta(days=7)


def test_the_same_call_asks_once(services: Services, practice: APractice, system: System) -> None:
    """A call that is sent again under its key is answered 200 with the same request; its link was shown once (SECURITY 3)."""
    first, again = system.ask("key-number-1"), system.ask("key-number-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == {**first.json, "link": None}
    other = system.ask("key-number-2")
    assert other.json["id"] != first.json["id"]
    with services.database.read() as db:
        assert db.query(Request).count() == 2
        assert token_hash(first.json["link"].rpartition("/")[2]) in {row.token_hash for row in db.query(Request)}


OTHERS: list[dict[str, Any]] = [
    {"label": "Other"},
    {"date_of_birth": "1957-08-24"},
    {"side": "right"},
    {"reference": "2"},
    {"message": "Hello"},
    {"days": 3},
    {"asked_by": "Dr Sam Okafor"},
    {"phone": "07911 123457"},
    {"phone": None},
    {"email": "pat@example.com"},
]


def test_a_key_is_for_one_call(services: Services, practice: APractice, system: System) -> None:
    """The key of an earlier call is refused with anything changed, a number put right too: no call is answered and not obeyed."""
    carried = System(app_with(replace(services, messengers={"sms": NoCarrier(), "email": NoCarrier()})), system.token)
    first = {"phone": "07911 123456"}
    assert carried.ask("key-number-1", **first).status_code == 201
    for change in OTHERS:
        assert error_of(carried.ask("key-number-1", **{**first, **change})) == (409, "key-used"), change
    assert carried.ask("key-number-1", phone="+44 7911 123456").status_code == 200, "the same number in other signs"
    with services.database.read() as db:
        assert db.query(MessageRow).filter_by(kind="link").count() == 1


def test_keys_of_two_systems(app: Flask, services: Services, practice: APractice, system: System) -> None:
    """Two systems may choose the same key: each has asked for itself."""
    other = make_system(app, services, practice, "requests:write")
    assert (system.ask("key-number-1").status_code, other.ask("key-number-1").status_code) == (201, 201)


def test_the_same_call_many_times_at_once(app: Flask, services: Services, practice: APractice, system: System) -> None:
    """Eight copies of a call at the same moment issue one link, and all get the same request."""
    systems = [System(app, system.token) for _ in range(8)]
    answers = at_once(8, lambda number: systems[number].ask("key-number-1"))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_a_follow_up(app: Flask, services: Services, practice: APractice, system: System) -> None:
    """A follow-up names the receipt and takes place and photos from it, under a key as well."""
    asked = make_request(services, practice)
    change: dict[str, Any] = {"protocol": "follow-up", "follows": asked.receipt.lower(), "site": None, "side": None}
    first, again = (system.ask("key-number-1", **change) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    shown = system.get(f"/requests/{first.json['id']}").json
    assert (shown["follows"], shown["protocol"], shown["site"]) == (asked.receipt, "lesion", "back-of-forearm")
    assert error_of(system.ask(**{**change, "follows": "KX7-P3Q"})) == (422, "cannot-ask")


BAD: list[tuple[Any, int, str]] = [
    ({"label": None}, 422, "label"),
    ({"label": " "}, 422, "label"),
    ({"label": "x" * 81}, 422, "label"),
    ({"label": 5}, 422, "label"),
    ({"protocol": None}, 422, "protocol"),
    ({"protocol": "everything"}, 422, "what to ask for"),
    ({"date_of_birth": None}, 422, "date_of_birth"),
    ({"date_of_birth": "23.8.1957"}, 422, "date_of_birth"),
    ({"date_of_birth": "1957-02-30"}, 422, "date_of_birth"),
    ({"date_of_birth": "٢٠٠٠-01-01"}, 422, "date_of_birth"),
    ({"date_of_birth": "2090-01-01"}, 422, "date of birth"),
    ({"site": "moon"}, 422, "place"),
    ({"side": ""}, 422, "left or right"),
    ({"days": 0}, 422, "days"),
    ({"days": 29}, 422, "days"),
    ({"days": True}, 422, "days"),
    ({"days": 1.5}, 422, "days"),
    ({"days": "7"}, 422, "days"),
    ({"days": 1e300}, 422, "days"),
    ({"nhs_number": "123"}, 422, "NHS number"),
    ({"reference": "1234 5678 901"}, 422, "UBRN"),
    ({"surprise": 1}, 422, "surprise"),
]


def test_what_cannot_be_asked(services: Services, system: System) -> None:
    """A field that is not right is answered 422 with a sentence that names it, and nothing is asked."""
    for change, status, words in BAD:
        answer = system.ask(**change)
        assert error_of(answer)[0] == status, change
        assert words in answer.json["error"]["sentence"], change
    with services.database.read() as db:
        assert db.query(Request).count() == 0


def test_bodies_that_are_none(system: System) -> None:
    """SECURITY 23: what is not one JSON object of at most 64 kB is refused, each with its own status."""
    for data, kind, status in (
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"days": NaN}', "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"label=x", "application/x-www-form-urlencoded", 415),
        (b'{"label": "' + b"x" * 65_536 + b'"}', "application/json", 413),
    ):
        assert error_of(system.post("/requests", data=data, content_type=kind))[0] == status, data[:20]


def test_control_characters_go(services: Services, practice: APractice, system: System) -> None:
    """Half a character and control characters in a text become spaces, and reach neither database nor page."""
    told = system.post(
        "/requests",
        data=b'{"label": "A\\ud800B\\u0000C", ' + b'"date_of_birth": "1957-08-23", "protocol": "lesion", "site": "back"}',
        content_type="application/json",
    )
    assert told.status_code == 201
    assert system.get(f"/requests/{told.json['id']}").json["label"] == "A B C"


def test_policies_hold(services: Services, practice: APractice, system: System) -> None:
    """What staff cannot ask for no system can: intimate places where they are off, and of children whatever is switched on."""
    place = {"site": "buttock", "side": "left", "protocol": "rash"}
    for allowed, born, sentence in ((False, "1957-08-23", NOT_SWITCHED_ON), (True, "2015-01-01", NO_CHILD)):
        if allowed:
            allow_intimate(services, practice.ods, True)
        answer = system.ask(**place, date_of_birth=born)
        assert error_of(answer) == (422, "cannot-ask")
        assert answer.json["error"]["sentence"] == sentence
    assert system.ask(**place).status_code == 201


def test_a_practice_without_keys(app: Flask, services: Services) -> None:
    """A practice that has no key cannot ask through a system either: 503, and when to come again."""
    answer = make_system(app, services, make_practice(services, with_keys=False)).ask()
    assert error_of(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"]


def test_keys_of_calls(system: System) -> None:
    """An Idempotency-Key that is too short, too long or holds spaces is refused, not shortened."""
    for key in ("short", "x" * 201, "with a space", "näh-nicht-so"):
        assert error_of(system.ask(key)) == (422, "not-valid")


def test_lists(services: Services, practice: APractice, clock: Clock, system: System) -> None:
    """All requests come page by page, each once, the longest unchanged first; by state, and those that changed since."""
    made = []
    for number in range(7):
        clock.forward(minutes=number % 2)  # some at the same second
        made.append(make_request(services, practice).id)
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = system.get("/requests", query_string={"limit": 3} | ({"cursor": cursor} if cursor else {})).json
        seen += [row["id"] for row in page["requests"]]
        cursor, pages = page["next"], pages + 1
    assert (sorted(seen), pages) == (sorted(made), 3)
    clock.forward(hours=1)
    assert system.post(f"/requests/{made[0]}/cancel").json["state"] == "cancelled"
    for query, expected in (
        ({"state": "cancelled"}, [made[0]]),
        ({"since": clock().isoformat()}, [made[0]]),
        ({"since": "2026-11-22T11:30:00Z"}, []),
        ({"state": "locked"}, []),
    ):
        found = system.get("/requests", query_string=query).json
        assert ([row["id"] for row in found["requests"]], found["next"]) == (expected, None), query


def test_parameters_that_are_none(system: System) -> None:
    """A parameter that is not right, not known, or there twice is told, never passed over."""
    limits = ("limit=0", "limit=101", "limit=x", "limit=", "limit=٣", "limit=1&limit=2")
    cursors = ("cursor=x", "cursor=", "cursor=MjAyNi0xMS0yMg==", "cursor=eCB4")
    times = ("since=yesterday", "since=2026-11-22", "since=0001-01-01T00:00:00%2B14:00")
    for query in (*limits, *cursors, *times, "state=gone", "stat=sent", "state=sent&state=opened"):
        assert error_of(system.get(f"/requests?{query}")) == (422, "not-valid"), query


def test_one_request(services: Services, practice: APractice, asked: ARequest, system: System) -> None:
    """A request tells what the practice gave and where its bundle is; never a date of birth, an NHS number or the link."""
    make_submitted(services, asked)
    shown = system.get(f"/requests/{asked.id}")
    told = shown.json
    assert (told["label"], told["reference"], told["state"]) == (asked.label, asked.reference, "delivered")
    assert told["bundle_id"] == bundle_of(services, asked).id
    for secret in (asked.token, "1957", "nhs_number", "message", "dob"):
        assert secret not in shown.text


def test_cancelling(app: Flask, services: Services, asked: ARequest, system: System) -> None:
    """Cancelling ends the link; again it gives the same answer and writes nothing; what was sent cannot be cancelled."""
    first, again = (system.post(f"/requests/{asked.id}/cancel") for _ in range(2))
    assert (first.status_code, first.json) == (200, again.json)
    assert "label" not in first.json
    assert Visitor(app).get(asked.path).status == 404
    with services.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="request cancelled").count() == 1
    sent = make_request(services, asked.practice)
    make_submitted(services, sent)
    assert error_of(system.post(f"/requests/{sent.id}/cancel")) == (409, "conflict")

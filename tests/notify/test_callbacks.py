"""What GOV.UK Notify tells of a text: believed only with the token, noted once, and the number in it goes nowhere."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from capture.app import create_app
from capture.services import Services
from capture.store.messages import MessageRow
from tests.builders import make_practice
from tests.notify.test_sending import PHONE, ask, send_all, timeline
from tests.web.html import ORIGIN

TOKEN = "a token of at least ten characters"


@pytest.fixture
def called(carried: Services, tmp_path: Path) -> Services:
    """Services that take callbacks."""
    (tmp_path / "callback.token").write_text(f"{TOKEN}\n")
    return replace(carried, settings=replace(carried.settings, notify_callback_file=str(tmp_path / "callback.token")))


def tell(services: Services, said: object, token: str = TOKEN, scheme: str = "Bearer", **options: Any) -> TestResponse:
    """What the service posts."""
    data = said if isinstance(said, bytes) else json.dumps(said)
    headers = {"Authorization": f"{scheme} {token}", "Content-Type": "application/json"}
    return create_app(services).test_client().post("/callbacks/notify", base_url=ORIGIN, data=data, headers=headers, **options)


def about(reference: str | None, status: object = "delivered") -> dict[str, Any]:
    """A callback as the service's documentation shows it."""
    made = "2026-11-22T10:00:00.000000Z"
    times = {"created_at": made, "completed_at": made, "sent_at": made}
    template = {"template_id": "f33517ff-2a88-4f6e-b855-c550268ce08a", "template_version": 1}
    said = {"id": "740e5834-3a29-46b4-9a6f-16142fde533a", "reference": reference, "to": PHONE, "status": status}
    return {**said, **times, **template, "notification_type": "sms"}


def reference_of(services: Services) -> str:
    """Our id of the text with the link."""
    with services.database.read() as db:
        return db.query(MessageRow).filter_by(kind="link").one().id


def test_a_text_that_arrived(called: Services, caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY 7: the request then says so, whatever is said again later; the number stands in no log."""
    caplog.set_level(logging.DEBUG)
    issued = ask(called, make_practice(called))
    send_all(called)
    reference = reference_of(called)
    assert timeline(called, issued)[0] == "Text sent"
    for status in ("sending", "delivered", "delivered", "permanent-failure"):
        answer = tell(called, about(reference, status))
        assert (answer.status_code, answer.data) == (204, b"")
    assert timeline(called, issued)[0] == "Text delivered to the phone"
    assert PHONE.removeprefix("+44") not in caplog.text


def test_a_text_that_did_not_arrive(called: Services) -> None:
    """The request says to check the number."""
    issued = ask(called, make_practice(called))
    send_all(called)
    assert tell(called, about(reference_of(called), "permanent-failure")).status_code == 204
    assert timeline(called, issued) == ["Text failed: check the number"]


def test_ids_that_are_not_ours(called: Services) -> None:
    """An unknown reference, or none, gets the answer of a known one, so that nobody asks again and nobody learns which are ours."""
    for reference in ("0" * 32, "", None, "x" * 500, "' OR 1=1 --"):
        assert tell(called, about(reference)).status_code == 204


@pytest.mark.parametrize(
    ("token", "scheme"), [("", "Bearer"), ("wrong", "Bearer"), (TOKEN[:-1], "Bearer"), (f"{TOKEN}x", "Bearer"), (TOKEN, "Basic")]
)
def test_without_the_token(called: Services, token: str, scheme: str) -> None:
    """Nobody else can say that a text arrived."""
    issued = ask(called, make_practice(called))
    send_all(called)
    assert tell(called, about(reference_of(called)), token, scheme).status_code == 403
    assert timeline(called, issued)[0] == "Text sent"


@pytest.mark.parametrize(
    "said", [b"", b"not JSON", b"\xff", [], "text", 3, {}, about(None, None), about(None, 3), {**about(""), "reference": ["x"]}]
)
def test_what_is_no_callback(called: Services, said: object) -> None:
    """SECURITY 19: anything else with the right token gets a 4xx."""
    assert tell(called, said).status_code == 400


def test_large_callbacks(called: Services) -> None:
    """SECURITY 23: above 64 kB nothing is read."""
    assert tell(called, b" " * 70_000).status_code == 413


def test_without_a_token_to_compare(carried: Services, called: Services, tmp_path: Path) -> None:
    """Where no token is set there is no such page; where its file is gone or empty nothing is believed."""
    assert tell(carried, about("")).status_code == 404
    (tmp_path / "callback.token").write_text("\n")
    assert tell(called, about(""), "").status_code == 403
    (tmp_path / "callback.token").unlink()
    assert tell(called, about("")).status_code == 503

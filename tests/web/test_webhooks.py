"""Webhooks from the move of a request to a real receiver, signed; and the page on which managers see them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from capture.actions.cancel import cancel
from capture.actions.send_webhooks import send_webhook, sweep_webhooks
from capture.actions.webhooks import add_webhook, pause_webhook, remove_webhook, renew_secret
from capture.domain.requests import State
from capture.errors import NotAllowed, NotFound
from capture.notify.webhooks import Webhooks
from capture.services import Services
from capture.store import webhooks
from capture.store.models import AuditEvent
from capture.store.webhooks import WebhookDelivery
from tests.builders import APractice, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.notify.receiver import Receiver, receiving
from tests.web.html import Page, Visitor

PAGE = "/staff/webhooks"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as made:
        yield made


@pytest.fixture
def sender(services: Services, receiver: Receiver, clock: Clock) -> Services:
    """The service as it is, but that webhooks may go to the receiver; the time is the real one, which verifiers ask for."""
    clock.time = datetime.now(UTC)
    return replace(services, webhooks=Webhooks(("127.0.0.0/8", "::1/128"), receiver.certificate, 1.0))


@pytest.fixture
def hook(services: Services, practice: APractice, receiver: Receiver) -> tuple[str, str]:
    """Its id and its secret."""
    made, secret = add_webhook(services, practice.id, receiver.url, actor="operator")
    return made.id, secret


def events(services: Services) -> list[WebhookDelivery]:
    with services.database.read() as db:
        return db.query(WebhookDelivery).order_by(WebhookDelivery.number).all()


def send_all(services: Services) -> None:
    while send_webhook(services):
        pass


def post(visitor: Visitor, path: str) -> Page:
    return visitor.open("POST", path, data={"csrf_token": visitor.csrf(PAGE)})


def test_a_request_from_link_to_bundle(sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str]) -> None:
    """Each move arrives once and in order, signed so that the reference verifier takes it, and names no patient."""
    asked = make_request(sender, practice)
    make_submitted(sender, asked)
    send_all(sender)
    told = [Verifier(hook[1]).verify(body, headers) for headers, body in receiver.got]
    assert [one["type"] for one in told] == [f"request.{state}" for state in ("sent", "confirmed", "submitted", "delivered")]
    assert told[-1]["data"] == {
        "request_id": asked.id,
        "receipt": asked.receipt,
        "state": "delivered",
        "bundle_id": bundle_of(sender, asked).id,
    }
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 4
    for text in (*asked.private, asked.token, "forearm"):
        assert text.encode() not in b"".join(body for _, body in receiver.got)
    headers, body = receiver.got[0]
    with pytest.raises(WebhookVerificationError):
        Verifier(hook[1]).verify(body.replace(b"sent", b"gone"), headers)
    assert not send_webhook(sender)


def test_two_signatures_while_the_secret_changes(
    sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str]
) -> None:
    """After a change both secrets verify what is sent, so that a receiver can change over without losing anything."""
    second = renew_secret(sender, practice.id, hook[0], actor="operator")
    make_request(sender, practice)
    send_all(sender)
    ((headers, body),) = receiver.got
    for secret in (hook[1], second):
        assert Verifier(secret).verify(body, headers)["type"] == "request.sent"
    assert second != hook[1]


def test_a_receiver_that_fails_stalls_and_redirects(
    sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str], clock: Clock
) -> None:
    """SECURITY 43: each failed try is followed by another one, later and later, under the same id; the next event waits for it."""
    receiver.answers = [500, "stall", 302]
    cancel(sender, practice.id, make_request(sender, practice).id, actor="x")
    waits = []
    for _ in range(3):
        assert send_webhook(sender)
        assert not send_webhook(sender)
        waits.append(events(sender)[0].due_at - clock())
        clock.time += waits[-1]
    assert waits[0] < waits[1] < waits[2] < timedelta(minutes=1)
    assert events(sender)[0].last_error == "It answered 302; redirects are not followed."
    send_all(sender)
    kinds = [json.loads(body)["type"] for _, body in receiver.got]
    assert kinds == ["request.sent"] * 4 + ["request.cancelled"]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 2
    assert len({headers["webhook-signature"] for headers, _ in receiver.got[:4]}) > 1  # each try has its own time
    assert {(row.state, row.last_error) for row in events(sender)} == {("delivered", "")}


def test_after_three_days(sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str], clock: Clock) -> None:
    """What nobody took for three days is given up and shown; what came later is still sent."""
    receiver.answers = [500, 500]
    make_request(sender, practice)
    assert send_webhook(sender)
    clock.forward(days=3)
    make_request(sender, practice)
    send_all(sender)
    assert [(row.state, row.attempts) for row in events(sender)] == [("given up", 2), ("delivered", 1)]
    clock.forward(days=31)
    sweep_webhooks(sender)
    assert events(sender) == []


def test_a_worker_that_was_replaced(sender: Services, practice: APractice, hook: tuple[str, str], clock: Clock) -> None:
    """A worker whose lease ran out while it sent changes nothing: whoever took over writes what became of it."""
    make_request(sender, practice)

    class Slow(Webhooks):
        def post(self, *_args: object) -> None:
            clock.forward(minutes=3)
            with sender.database.write() as db:
                assert webhooks.lease_due(db, clock())

    assert send_webhook(replace(sender, webhooks=Slow((), None, 1.0)))
    assert [(row.state, row.attempts, row.fence) for row in events(sender)] == [("queued", 2, 2)]


def test_a_secret_that_does_not_open(sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str]) -> None:
    """A webhook whose sealed secret was altered waits and says whom to ask, and the other ones get their events."""
    other, secret = add_webhook(sender, practice.id, receiver.url.replace("key=1", "key=2"), actor="operator")
    with sender.database.write() as db:
        db.get_one(webhooks.Webhook, hook[0]).secret_sealed = b"altered"
    make_request(sender, practice)
    send_all(sender)
    ((headers, body),) = receiver.got
    assert Verifier(secret).verify(body, headers)["type"] == "request.sent"
    left = {row.webhook_id: (row.state, row.attempts, row.last_error) for row in events(sender)}
    assert left == {
        other.id: ("delivered", 1, ""),
        hook[0]: ("queued", 1, "Its secret cannot be opened. Tell your operator."),
    }


def test_an_error_that_nobody_expected(
    sender: Services, practice: APractice, receiver: Receiver, hook: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong with one event, it is tried again later, the next webhook's goes, and the log names the kind alone."""
    add_webhook(sender, practice.id, receiver.url.replace("key=1", "key=2"), actor="operator")
    make_request(sender, practice)

    class Broken(Webhooks):
        def post(self, *_args: object) -> None:
            raise RuntimeError(receiver.url)

    broken = replace(sender, webhooks=Broken((), None, 1.0))
    assert [send_webhook(broken), send_webhook(broken), send_webhook(broken)] == [True, True, False]
    told = "Something went wrong here. Tell your operator."
    assert {(row.state, row.last_error) for row in events(sender)} == {("queued", told)}
    assert "RuntimeError" in caplog.text
    assert receiver.url not in caplog.text


def test_the_page(sender: Services, receiver: Receiver, hook: tuple[str, str], desk: Visitor, clock: Clock) -> None:
    """Managers see where webhooks go and what became of the last ones, and never the secret; a test goes when asked for."""
    webhook_id, secret = hook
    receiver.answers = [500, 200, 200]
    assert send_webhook(sender)
    text = desk.get(PAGE).text
    assert "It answered 500. 1 try so far." in text
    assert "Will be tried again" in text
    assert post(desk, f"{PAGE}/{webhook_id}/try").location == PAGE
    send_all(sender)
    assert [json.loads(body)["type"] for _, body in receiver.got] == ["request.sent", "request.sent", "webhook.test"]
    page = desk.get(PAGE)
    assert page.text.count("Sent") == 2
    assert "webhook.test" in page.text
    assert secret not in page.data.decode()
    assert post(desk, f"{PAGE}/{webhook_id}/pause").location == PAGE
    assert "Paused since" in desk.get(PAGE).text
    assert post(desk, f"{PAGE}/{webhook_id}/resume").location == PAGE
    assert "Paused" not in desk.get(PAGE).text
    with sender.database.read() as db:
        actions = [event.action for event in db.query(AuditEvent).filter_by(subject=webhook_id).order_by(AuditEvent.number)]
    assert actions == ["webhook added", "webhook tested", "webhook paused", "webhook resumed"]


def test_a_page_without_webhooks(desk: Visitor) -> None:
    """Where there is none the page says so, and who adds them."""
    text = desk.get(PAGE).text
    assert "There are none yet" in text
    assert "The people who run this service add and remove them" in text


def test_adding_and_removing(services: Services, practice: APractice, hook: tuple[str, str], receiver: Receiver) -> None:
    """SECURITY 28 and 40: at most five for a practice, each act in the audit trail, and none on another practice's."""
    other = make_practice(services, name="Oak Surgery")
    for number in range(4):
        add_webhook(services, practice.id, f"https://hooks.example.org/{number}", actor="operator")
    with pytest.raises(NotAllowed):
        add_webhook(services, practice.id, "https://hooks.example.org/5", actor="operator")
    with pytest.raises(NotAllowed):
        add_webhook(services, other.id, "http://hooks.example.org/", actor="operator")
    make_request(services, practice)
    for act in (remove_webhook, renew_secret):
        with pytest.raises(NotFound):
            act(services, other.id, hook[0], actor="operator")
    remove_webhook(services, practice.id, hook[0], actor="operator")
    assert len(events(services)) == 4
    pause_webhook(services, practice.id, events(services)[0].webhook_id, paused=True, actor="x")
    with services.database.read() as db:
        actions = {event.action for event in db.query(AuditEvent)}
    assert {"webhook added", "webhook removed", "webhook paused"} <= actions
    assert State.SENT in events(services)[0].body

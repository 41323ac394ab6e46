"""Webhooks in the database: queued with the move itself, sent in order, by one worker at a time."""

import json
from datetime import timedelta

import pytest

from capture.domain.requests import State
from capture.errors import Conflict, NotFound
from capture.store import requests, webhooks
from capture.store.database import Database
from capture.store.models import Practice, new_id
from capture.store.practices import insert_practice
from capture.store.webhooks import GIVE_UP_AFTER, KEEP, OLD_SECRET, Lease, Webhook, WebhookDelivery
from tests.store.conftest import NOW
from tests.store.rows import DETAILS, add_bundle, add_request

URL = "https://hooks.example.org/capture?key=1"


def add(database: Database, practice: Practice, url: str = URL) -> tuple[Webhook, str]:
    with database.write() as db:
        return webhooks.insert_webhook(db, practice.id, url, NOW)


def lease(database: Database, after: timedelta = timedelta(0)) -> Lease | None:
    with database.write() as db:
        return webhooks.lease_due(db, NOW + after)


def moved(database: Database, practice: Practice, *states: State) -> str:
    """A request that went through these states; its id."""
    with database.write() as db:
        request = add_request(db, practice.id)
        for state in states:
            if state is State.SUBMITTED:
                add_bundle(db, request)
            requests.move(db, request, state, actor="x", now=NOW)
        return request.id


def kind_of(taken: Lease | None) -> str:
    return json.loads(taken.body)["type"].removeprefix("request.") if taken else ""


def test_a_move_is_told_in_its_own_transaction(database: Database, practice: Practice) -> None:
    """What moved is queued for each webhook if and only if the move is kept; it holds ids, receipt and state, and no patient."""
    for url in (URL, URL + "2"):
        add(database, practice, url)
    request_id = moved(database, practice, State.CONFIRMED, State.SUBMITTED)
    with database.read() as db:  # ends without a commit
        request = requests.find_request(db, practice.id, request_id)
        requests.move(db, request, State.DELIVERED, actor="x", now=NOW)
    with database.read() as db:
        rows = db.query(WebhookDelivery).order_by(WebhookDelivery.number).all()
        assert [row.kind for row in rows] == ["request.confirmed"] * 2 + ["request.submitted"] * 2
        first, last = (json.loads(rows[number].body) for number in (0, 3))
        assert first["data"] == {"request_id": request_id, "receipt": request.receipt, "state": "confirmed"}
        assert set(last["data"]) == {"request_id", "receipt", "state", "bundle_id"}
        assert last["timestamp"] == "2026-11-22T10:00:00+00:00"
        for text in (DETAILS.label, DETAILS.reference, DETAILS.site):
            assert text not in "".join(row.body for row in rows)


def test_another_practices_webhook_hears_nothing(database: Database, practice: Practice) -> None:
    """SECURITY 28: a webhook is told of its own practice's requests, and belongs to that practice alone."""
    made, _ = add(database, practice)
    with database.write() as db:
        other = insert_practice(db, ods="A81002", name="Oak", phone="1", now=NOW)
        for practice_id, webhook_id in ((other.id, made.id), (practice.id, new_id())):
            with pytest.raises(NotFound):
                webhooks.find_webhook(db, practice_id, webhook_id)
    moved(database, other, State.OPENED)
    assert lease(database) is None


def test_each_line_goes_in_order(database: Database, practice: Practice) -> None:
    """While an event is sent or waits for its next try the later ones of its webhook wait; another webhook's go on."""
    add(database, practice)
    moved(database, practice, State.OPENED, State.CONFIRMED)
    first = lease(database)
    assert kind_of(first) == "opened"
    assert lease(database) is None
    add(database, practice, URL + "2")
    moved(database, practice, State.LOCKED)
    other = lease(database)
    assert (kind_of(other), other and other.url) == ("locked", URL + "2")
    assert first
    with database.write() as db:
        assert webhooks.put_back(db, first, NOW + timedelta(seconds=90), "It answered 500.")
    assert lease(database, timedelta(minutes=1)) is None  # the other one is leased, the first line waits
    again = lease(database, timedelta(seconds=90))
    assert again
    assert (again.delivery_id, again.attempts) == (first.delivery_id, 2)
    with database.write() as db:
        assert not webhooks.mark_delivered(db, first, NOW)  # an older fence
        assert webhooks.mark_delivered(db, again, NOW)
    assert {kind_of(lease(database, timedelta(minutes=1)))} == {"confirmed"}


def test_an_event_that_is_given_up_lets_the_next_one_go(database: Database, practice: Practice) -> None:
    """What was given up stays on the page with its reason for a month, and the line goes on."""
    made, _ = add(database, practice)
    moved(database, practice, State.OPENED, State.CONFIRMED)
    taken = lease(database)
    assert taken
    with database.write() as db:
        assert webhooks.give_up(db, taken, NOW, "It answered 404.")
    assert kind_of(lease(database)) == "confirmed"
    for after, left in ((KEEP, 2), (KEEP + timedelta(seconds=1), 1)):
        with database.write() as db:
            webhooks.sweep(db, NOW + after)
            assert len(webhooks.list_deliveries(db, made.id, 20)) == left


def test_a_paused_webhook(database: Database, practice: Practice) -> None:
    """While it is paused nothing goes there; afterwards what waited goes, but for what is older than three days."""
    made, _ = add(database, practice)
    moved(database, practice, State.OPENED)
    with database.write() as db:
        webhooks.find_webhook(db, practice.id, made.id).paused_at = NOW
    assert lease(database) is None
    with database.write() as db:
        webhooks.sweep(db, NOW + GIVE_UP_AFTER)
    with database.write() as db:
        webhooks.find_webhook(db, practice.id, made.id).paused_at = None
    assert kind_of(lease(database)) == "opened"
    with database.write() as db:
        webhooks.find_webhook(db, practice.id, made.id).paused_at = NOW
        webhooks.sweep(db, NOW + GIVE_UP_AFTER + timedelta(seconds=1))
        assert [(row.state, row.last_error) for row in db.query(WebhookDelivery)] == [("given up", "It was paused.")]


def test_hurry(database: Database, practice: Practice) -> None:
    """What waits for its next try is due at once when someone asks for it; what was never tried stays as it is."""
    made, _ = add(database, practice)
    moved(database, practice, State.OPENED, State.CONFIRMED)
    taken = lease(database)
    assert taken
    with database.write() as db:
        webhooks.put_back(db, taken, NOW + timedelta(hours=1), "It answered 500.")
        webhooks.hurry(db, made, NOW)
    assert kind_of(lease(database)) == "opened"


def test_two_secrets_for_a_day(database: Database, practice: Practice) -> None:
    """After a change what is sent is signed with both secrets for a day, then with the new one; the database holds neither."""
    made, first = add(database, practice)
    moved(database, practice, State.OPENED)
    with database.write() as db:
        webhook = webhooks.find_webhook(db, practice.id, made.id)
        second = webhooks.change_secret(db, webhook, NOW)
        assert first.encode() not in webhook.secret_sealed + (webhook.old_secret_sealed or b"")
    taken = lease(database)
    assert taken
    with database.write() as db:
        seen = [webhooks.secrets_of(db, taken, NOW + after) for after in (timedelta(0), OLD_SECRET)]
        assert seen == [(second, first), (second,)]
        webhooks.sweep(db, NOW + OLD_SECRET + timedelta(seconds=1))
        assert webhooks.find_webhook(db, practice.id, made.id).old_secret_sealed is None


def test_adding_and_removing(database: Database, practice: Practice) -> None:
    """An address is there once; when it is removed what was on its way to it goes too."""
    made, _ = add(database, practice)
    with database.write() as db, pytest.raises(Conflict):
        webhooks.insert_webhook(db, practice.id, URL, NOW)
    moved(database, practice, State.OPENED)
    with database.write() as db:
        webhooks.delete_webhook(db, webhooks.find_webhook(db, practice.id, made.id))
    with database.read() as db:
        assert (db.query(WebhookDelivery).count(), webhooks.list_webhooks(db, practice.id)) == (0, [])

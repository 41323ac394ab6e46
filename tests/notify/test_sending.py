"""Messages on their way: each goes once, whoever works on it; what it said and to whom is forgotten the moment it is over."""

import logging
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from capture.actions.cancel import cancel
from capture.actions.expire import expire_due
from capture.actions.issue_link import Draft, Issued, issue_link
from capture.actions.note_delivery import note_delivery
from capture.actions.open_link import confirm
from capture.actions.queue_notice import queue_notice
from capture.actions.send_link import queue_link
from capture.actions.send_message import GIVE_UP_AFTER, send_next
from capture.domain.messages import NOTICE_SUBJECT, NOTICES
from capture.domain.requests import FINISH_AFTER_EXPIRY
from capture.services import Services
from capture.store import messages
from capture.store.messages import MessageRow, list_messages
from capture.store.models import Practice, Request, new_id
from capture.store.outbox import LEASE
from tests.builders import APractice, make_practice
from tests.conftest import Clock
from tests.notify.mail_server import REFUSED, Mailbox
from tests.notify.stand_in import WRONG_NUMBER, StandIn

PHONE, EMAIL = "+447700900123", "ada.byron@example.org"
BORN = "1957-08-23"


@pytest.fixture
def practice(carried: Services) -> APractice:
    return make_practice(carried)


def ask(services: Services, practice: APractice, phone: str = PHONE, email: str = "", days: int = 7) -> Issued:
    """A request whose link goes out by text or e-mail."""
    draft = Draft("Ada", date.fromisoformat(BORN), "", "back", "", "lesion", days, new_id(), phone=phone, email=email)
    return issue_link(services, practice.id, draft, actor="operator")


def send_all(services: Services) -> int:
    """Send until nothing is due; how many steps that took."""
    steps = 0
    while send_next(services):
        steps += 1
    return steps


def rows(services: Services) -> list[MessageRow]:
    with services.database.read() as db:
        return db.query(MessageRow).order_by(MessageRow.wanted_at, MessageRow.channel).all()


def states(services: Services) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in rows(services)]


def timeline(services: Services, issued: Issued) -> list[str]:
    with services.database.read() as db:
        return [step.text for step in list_messages(db, issued.request_id)]


def holds(services: Services, *secrets: str) -> list[str]:
    """Those of the secrets that stand somewhere in the files of the data folder, as they are."""
    folder: Path = services.settings.var
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [secret for secret in secrets if secret.encode() in data]


def test_a_link_goes_by_text_and_email(carried: Services, practice: APractice, notify: StandIn, mailbox: Mailbox) -> None:
    """Text and e-mail bring the same link once, name the practice, and say nothing of the patient; both say so afterwards."""
    issued = ask(carried, practice, email=EMAIL)
    assert timeline(carried, issued) == ["Text queued", "E-mail queued", "Reminder by text planned", "Reminder by e-mail planned"]
    assert send_all(carried) == 2
    (text,), (letter,) = notify.texts, mailbox.letters
    assert text["to"] == PHONE
    assert text["text"] == f"Elm Surgery asks you for photos of your skin. Take them here: {issued.link}"
    assert letter["To"] == EMAIL
    assert letter["Subject"] == "Elm Surgery asks you for photos"
    said = letter.get_content()
    for told in (issued.link, practice.phone, "29 November 2026", "date of birth"):
        assert told in said
    assert "Ada" not in text["text"] + said + letter["Subject"]
    assert timeline(carried, issued)[:2] == ["Text sent", "E-mail sent"]


def test_two_workers(carried: Services, practice: APractice, notify: StandIn) -> None:
    """Two workers on twenty messages send each of them once."""
    for _ in range(20):
        ask(carried, practice)
    threads = [threading.Thread(target=send_all, args=(carried,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notify.texts) == len({text["reference"] for text in notify.texts}) == 20


def test_a_worker_that_dies_between(
    carried: Services, practice: APractice, notify: StandIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after the text was taken and before it was noted leaves it to the next, which finds it was taken."""
    ask(carried, practice)
    with monkeypatch.context() as dying:

        def die(*_args: object) -> None:
            raise KeyboardInterrupt

        dying.setattr("capture.actions.send_message.messages.mark_sent", die)
        with pytest.raises(KeyboardInterrupt):
            send_next(carried)
    assert [row.state for row in rows(carried)] == ["queued", "queued"]
    assert not send_next(carried)
    clock.forward(seconds=LEASE.total_seconds())
    assert send_all(carried) == 1
    assert len(notify.texts) == 1
    sent = rows(carried)[0]
    assert (sent.state, sent.provider_id, sent.attempts) == ("sent", notify.texts[0]["id"], 2)


def test_a_service_that_is_down(carried: Services, practice: APractice, notify: StandIn, clock: Clock) -> None:
    """While the service is down a text waits longer after each try, is said to wait, and goes once when the service is back."""
    issued = ask(carried, practice)
    notify.answers = ["down"] * 5
    due = []
    for _ in range(3):
        assert send_next(carried)
        row = rows(carried)[0]
        due.append(row.due_at - clock())
        assert (row.state, row.last_error) == ("queued", "notify-away")
        clock.time = row.due_at
    assert [round(one.total_seconds() / 5) for one in due] == [1, 2, 4]
    assert timeline(carried, issued)[0] == "Text waits: sending is tried again by itself"
    notify.answers = []
    assert send_all(carried) == 1
    assert len(notify.texts) == 1
    assert timeline(carried, issued)[0] == "Text sent"


def test_giving_up(carried: Services, practice: APractice, notify: StandIn, clock: Clock) -> None:
    """After three days of trying a text is given up and forgotten, and staff read to give the link another way."""
    issued = ask(carried, practice)
    clock.forward(seconds=GIVE_UP_AFTER.total_seconds())
    notify.answers = ["down"]
    assert send_next(carried)
    row = next(row for row in rows(carried) if row.kind == "link")
    assert (row.state, row.to_sealed, row.text_sealed) == ("failed", None, None)
    assert timeline(carried, issued)[0] == "Text failed: give the link another way"


@pytest.mark.parametrize(
    ("phone", "email", "said"),
    [(WRONG_NUMBER, "", "Text failed: check the number"), ("", REFUSED, "E-mail failed: check the address")],
)
def test_a_number_or_address_that_is_refused(
    carried: Services, practice: APractice, clock: Clock, phone: str, email: str, said: str
) -> None:
    """What can never arrive fails at once, with its reminder, and staff read what to check."""
    issued = ask(carried, practice, phone=phone, email=email)
    assert send_all(carried) == 1
    assert timeline(carried, issued) == [said]
    assert states(carried) == [("link", "failed"), ("reminder", "dropped")]
    clock.forward(days=4)
    assert send_all(carried) == 0


def test_the_number_is_forgotten(carried: Services, practice: APractice, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY 7: number, address and link stand nowhere in the data in clear, in no log, and in no row once all has gone out."""
    caplog.set_level(logging.DEBUG)
    issued = ask(carried, practice, email=EMAIL)
    secrets = (PHONE, PHONE.removeprefix("+44"), EMAIL, issued.link.rpartition("/")[2])
    assert holds(carried, *secrets) == []
    sealed = [value for row in rows(carried) for value in (row.to_sealed, row.text_sealed)]
    assert all(sealed)
    send_all(carried)
    assert [row.to_sealed for row in rows(carried)][:2] == [None, None]
    assert all(row.to_sealed for row in rows(carried)[2:]), "the reminder waits with it"
    clock.forward(days=3)
    assert send_all(carried) == 2
    assert {(row.to_sealed, row.text_sealed) for row in rows(carried)} == {(None, None)}
    with closing(sqlite3.connect(carried.settings.var / "capture.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = (carried.settings.var / "capture.db").read_bytes()
    assert not [value for value in sealed if value and value in data], "a deleted value is left in the file"
    assert holds(carried, *secrets) == []
    logged = "\n".join(one.getMessage() for one in caplog.records if one.name != "mail.log")  # the mail server's own
    assert not [secret for secret in secrets if secret in logged]


def test_the_reminder(carried: Services, practice: APractice, notify: StandIn, clock: Clock) -> None:
    """A link that nobody used is sent once more after the practice's days, with the same address, and never again."""
    issued = ask(carried, practice)
    send_all(carried)
    clock.forward(days=2, hours=23)
    assert send_all(carried) == 0
    clock.forward(hours=1)
    assert send_all(carried) == 1
    assert notify.texts[1]["to"] == PHONE
    assert notify.texts[1]["text"] == f"Elm Surgery still waits for photos of your skin. Take them here: {issued.link}"
    clock.forward(days=3)
    assert send_all(carried) == 0


@pytest.mark.parametrize("how", ["confirmed", "cancelled", "expired", "sent anew"])
def test_no_reminder_where_none_is_wanted(carried: Services, practice: APractice, notify: StandIn, clock: Clock, how: str) -> None:
    """Once the date of birth was given, or the request is cancelled, over, or has another link, the number waits no longer."""
    issued = ask(carried, practice)
    send_all(carried)
    if how == "confirmed":
        assert confirm(carried, issued.link.rpartition("/")[2], date.fromisoformat(BORN))
    elif how == "cancelled":
        cancel(carried, practice.id, issued.request_id, actor="operator")
    elif how == "expired":
        clock.time = issued.expires_at + FINISH_AFTER_EXPIRY + timedelta(seconds=1)
        assert expire_due(carried) == 1
    else:
        with carried.database.write() as db:
            queue_link(carried, db, db.get_one(Request, issued.request_id), "https://photos.example.org/r/new")
    assert states(carried) == [("link", "sent"), ("reminder", "dropped")]
    assert {(row.to_sealed, row.text_sealed) for row in rows(carried)} == {(None, None)}
    clock.forward(days=4)
    assert send_all(carried) == 0
    assert len(notify.texts) == 1


@pytest.mark.parametrize("found_by", ["sending", "expiry"])
def test_a_link_that_is_over_is_not_sent(
    carried: Services, practice: APractice, notify: StandIn, clock: Clock, found_by: str
) -> None:
    """A text that waited until its link was over is not sent, and staff read that it was not: the patient never had it."""
    issued = ask(carried, practice, email=EMAIL, days=4)
    clock.forward(days=4)
    if found_by == "sending":
        assert send_all(carried) == 1
    else:
        clock.time += FINISH_AFTER_EXPIRY + timedelta(seconds=1)
        assert expire_due(carried) == 1
        assert send_all(carried) == 0
    assert timeline(carried, issued) == [f"{what} not sent: the link ended first" for what in ("Text", "E-mail")]
    assert [state for _, state in states(carried)] == ["failed", "failed", "dropped", "dropped"]
    assert {(row.to_sealed, row.text_sealed) for row in rows(carried)} == {(None, None)}
    assert notify.texts == []


def test_a_reminder_whose_link_ended_first(carried: Services, practice: APractice) -> None:
    """No reminder comes that would be after the end of its link."""
    ask(carried, practice, days=1)
    assert states(carried) == [("link", "queued")]


def test_no_reminders(carried: Services, practice: APractice) -> None:
    """A practice that set its days to 0 sends none."""
    with carried.database.write() as db:
        db.get_one(Practice, practice.id).remind_days = 0
    ask(carried, practice)
    assert states(carried) == [("link", "queued")]


def test_nothing_that_sends(services: Services) -> None:
    """Where no carrier is configured nothing is queued; what was queued before waits, and says so in the log by its code."""
    issued = ask(services, make_practice(services), email=EMAIL)
    assert timeline(services, issued) == []
    with services.database.write() as db:
        queue_notice(services, db, db.query(Practice).one(), "waiting")
    assert rows(services) == []


def test_a_carrier_that_was_taken_away(carried: Services, practice: APractice, caplog: pytest.LogCaptureFixture) -> None:
    """A text that was queued when there was a carrier waits, and the log names what is missing."""
    ask(carried, practice)
    without = replace(carried, messengers={})
    assert send_next(without)
    assert not send_next(without)
    assert "no-messenger" in caplog.text


def test_a_message_that_does_not_open(carried: Services, practice: APractice, notify: StandIn) -> None:
    """A row that was altered holds up no other one."""
    ask(carried, practice)
    with carried.database.write() as db:
        db.query(MessageRow).filter_by(kind="link").one().to_sealed = b"altered"
    ask(carried, practice)
    assert send_all(carried) == 2
    assert len(notify.texts) == 1


def test_a_message_that_was_dropped_as_it_was_taken(
    carried: Services, practice: APractice, notify: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is cancelled while a worker holds its text leaves nothing to send."""
    issued = ask(carried, practice)
    taken = carried.messengers["sms"]
    cancelling = replace(carried, messengers={"sms": taken})
    lease_due = messages.lease_due

    def lease_then_cancel(*args: object) -> object:
        lease = lease_due(*args)  # type: ignore[arg-type]
        messages.drop_messages(args[0], issued.request_id)  # type: ignore[arg-type]
        return lease

    monkeypatch.setattr(messages, "lease_due", lease_then_cancel)
    assert send_next(cancelling)
    assert notify.texts == []
    assert {row.state for row in rows(carried)} == {"dropped"}


def test_what_the_service_says_later(carried: Services, practice: APractice) -> None:
    """The end that the service tells is noted once; what it says of an id that is not ours, or again, changes nothing."""
    issued = ask(carried, practice)
    (row,) = (row for row in rows(carried) if row.kind == "link")
    send_all(carried)
    for status in ("created", "sending", "delivered", "permanent-failure", "delivered"):
        note_delivery(carried, row.id, status)
        note_delivery(carried, new_id(), status)
    assert timeline(carried, issued)[0] == "Text delivered to the phone"


@pytest.mark.parametrize(
    ("status", "said", "reminder"),
    [
        ("permanent-failure", "Text failed: check the number", "dropped"),
        ("temporary-failure", "Text failed: the phone could not be reached", "queued"),
        ("technical-failure", "Text failed: give the link another way", "queued"),
    ],
)
def test_texts_that_did_not_arrive(carried: Services, practice: APractice, status: str, said: str, reminder: str) -> None:
    """Each way to fail has its sentence; a number that does not exist gets no reminder."""
    issued = ask(carried, practice)
    (row,) = (row for row in rows(carried) if row.kind == "link")
    send_all(carried)
    note_delivery(carried, row.id, status)
    assert timeline(carried, issued)[0] == said
    assert states(carried) == [("link", "failed"), ("reminder", reminder)]


def test_notices(carried: Services, practice: APractice, mailbox: Mailbox, clock: Clock) -> None:
    """A notice says no more than its kind, every kind has the same length, and each kind goes at most once an hour."""
    with carried.database.write() as db:
        db.get_one(Practice, practice.id).notice_email = "inbox@surgery.example"
    for minutes in (0, 10, 10, 10, 35):
        clock.forward(minutes=minutes)
        with carried.database.write() as db:
            for kind in NOTICES:
                queue_notice(carried, db, db.get_one(Practice, practice.id), kind)
        send_all(carried)
    assert len(mailbox.raw) == 2 * len(NOTICES), "what came within the hour goes at its end, once"
    assert {letter["Subject"] for letter in mailbox.letters} == {NOTICE_SUBJECT}
    assert {letter["To"] for letter in mailbox.letters} == {"inbox@surgery.example"}
    assert len({len(raw) for raw in mailbox.raw}) == 1
    assert len({letter.get_content() for letter in mailbox.letters}) == len(NOTICES)


def test_notices_after_a_clock_that_was_ahead(carried: Services, practice: APractice, mailbox: Mailbox, clock: Clock) -> None:
    """Faults, the clock jumps: a notice queued by a clock 40 days ahead goes once it is right, and the next ones come as ever."""

    def tell() -> int:
        with carried.database.write() as db:
            queue_notice(carried, db, db.get_one(Practice, practice.id), "waiting")
        send_all(carried)
        return len(mailbox.raw)

    with carried.database.write() as db:
        db.get_one(Practice, practice.id).notice_email = "inbox@surgery.example"
    clock.forward(days=40)
    assert [tell(), tell()] == [1, 1], "the second waits for the end of that hour"
    clock.forward(days=-40)
    assert [tell(), tell(), tell()] == [2, 3, 3], "the one that waited goes; one of the right time; the next is within its hour"
    clock.forward(hours=1)
    assert tell() == 4

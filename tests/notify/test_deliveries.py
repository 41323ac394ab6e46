"""What a practice is told of deliveries: that photos arrived, that they are late, that they were given up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from capture.actions.deliver import deliver_next
from capture.actions.hurry_delivery import hurry_delivery
from capture.actions.send_message import send_next
from capture.actions.tell_late import tell_late
from capture.domain.messages import NOTICES
from capture.notify.mail import Mail
from capture.services import Services
from capture.store import deliveries, messages
from capture.store.models import AuditEvent, Delivery, Practice
from tests.builders import APractice, ARequest, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.fault_proxy import Fault, fault_proxy
from tests.notify.mail_server import Mailbox


@pytest.fixture
def practice(carried: Services) -> APractice:
    """A practice that named an address for notices."""
    made = make_practice(carried)
    with carried.database.write() as db:
        db.get_one(Practice, made.id).notice_email = "desk@elm.example"
    return made


def arrive(services: Services, practice: APractice) -> ARequest:
    """Photos that a patient has sent and the worker delivered."""
    asked = make_request(services, practice)
    make_submitted(services, asked)
    return asked


def letters(services: Services, mailbox: Mailbox) -> list[str]:
    """The notices that have come, each on one line, once all that is due was sent."""
    while send_next(services):
        pass
    return [" ".join(letter.get_content().split()) for letter in mailbox.letters if letter["To"] == "desk@elm.example"]


def test_photos_have_arrived(carried: Services, practice: APractice, mailbox: Mailbox, clock: Clock) -> None:
    """The first is told at once, those of an hour after it in one with the newest receipt: nothing else, always as long."""
    first = arrive(carried, practice)
    (told,) = letters(carried, mailbox)
    assert told.startswith(f"{NOTICES['arrived']} The newest receipt is {first.receipt}. Sign in to see more:")
    for one in first.private:
        assert one not in told
    clock.forward(minutes=10)
    second, third = arrive(carried, practice), arrive(carried, practice)
    assert len(letters(carried, mailbox)) == 1
    clock.forward(minutes=50)
    _, told = letters(carried, mailbox)
    assert third.receipt in told
    assert second.receipt not in told
    assert len({len(raw) for raw in mailbox.raw if b"desk@elm.example" in raw}) == 1


def test_what_arrives_while_a_notice_is_sent(carried: Services, practice: APractice, mailbox: Mailbox, clock: Clock) -> None:
    """Photos that come while the notice of others is on the line are told of at the end of the hour; a failed one says it too."""
    arrive(carried, practice)
    with carried.database.write() as db:
        lease = messages.lease_due(db, clock())
        assert lease
    second = arrive(carried, practice)
    with carried.database.write() as db:
        assert messages.mark_sent(db, lease, "", clock())
    assert letters(carried, mailbox) == []
    clock.forward(hours=1)
    (told,) = letters(carried, mailbox)
    assert second.receipt in told
    arrive(carried, practice)
    clock.forward(hours=1)
    with carried.database.write() as db:
        lease = messages.lease_due(db, clock())
        assert lease
        assert messages.put_back(db, lease, clock(), "away")
    last = arrive(carried, practice)
    assert [last.receipt in told for told in letters(carried, mailbox)] == [False, True]


@pytest.mark.parametrize("change", [{"notice_arrived": False}, {"notice_email": ""}])
def test_who_does_not_want_to_hear_of_each(
    carried: Services, practice: APractice, mailbox: Mailbox, change: dict[str, object]
) -> None:
    """A practice that turned it off, or named no address, is told of no arrival; nor is each of its managers."""
    with carried.database.write() as db:
        for name, value in change.items():
            setattr(db.get_one(Practice, practice.id), name, value)
    arrive(carried, practice)
    letters(carried, mailbox)
    assert mailbox.raw == []


def test_late(carried: Services, practice: APractice, mailbox: Mailbox, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The table of faults: an hour after it was queued the practice and the operator are told of a delivery, once."""
    asked = make_request(carried, practice)
    make_submitted(carried, asked, delivered=False)
    clock.forward(minutes=59)
    assert tell_late(carried) == 0
    clock.forward(minutes=1)
    assert [tell_late(carried), tell_late(carried)] == [1, 0]
    (told,) = letters(carried, mailbox)
    assert told.startswith(NOTICES["late"])
    assert "deliveries to web are late: 1" in caplog.text
    with carried.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="delivery late", subject=asked.id).count() == 1
    assert deliver_next(carried)
    clock.forward(hours=2)
    assert tell_late(carried) == 0


def test_a_mail_server_that_is_down_for_a_day(
    carried: Services, practice: APractice, mails: Mail, mailbox: Mailbox, clock: Clock
) -> None:
    """The table of faults: while SMTP is down for a day notices wait; each kind goes once when it is back, with what is newest."""
    with fault_proxy(mailbox.port) as proxy:
        services = replace(carried, messengers={**carried.messengers, "email": replace(mails, port=proxy.port)})
        newest = ""
        with proxy.refusing():
            for hour in range(24):
                if hour % 8 == 0:
                    newest = arrive(services, practice).receipt
                if hour == 4:
                    make_submitted(services, make_request(services, practice), delivered=False)
                if hour == 6:
                    assert deliver_next(services)
                clock.forward(hours=1)
                tell_late(services)
                send_next(services)
        assert mailbox.raw == []
        proxy.fail("reset", "stall", Fault("reset", after=1_500), "500")
        clock.forward(hours=1)
        while send_next(services):
            clock.forward(minutes=40)
        assert proxy.left == 0
        told = letters(services, mailbox)
    late, arrived = sorted(told)
    assert late.startswith(NOTICES["late"])
    assert arrived.startswith(f"{NOTICES['arrived']} The newest receipt is {newest}.")


def test_late_once_more(carried: Services, practice: APractice, clock: Clock) -> None:
    """What was sent again, and what a way station took late, is told of anew when it does not arrive."""
    make_submitted(carried, make_request(carried, practice), delivered=False)
    clock.forward(hours=1)
    assert tell_late(carried) == 1
    with carried.database.write() as db:
        lease = deliveries.lease_due(db, clock())
        assert lease
        assert deliveries.give_up(db, lease, clock(), "x")
    clock.forward(hours=1)
    assert tell_late(carried) == 0
    hurry_delivery(carried, practice.id, lease.delivery_id, actor="operator")
    assert [tell_late(carried), tell_late(carried)] == [1, 0]
    with carried.database.write() as db:
        lease = deliveries.lease_due(db, clock())
        assert lease
        assert deliveries.mark_under_way(db, lease, clock(), "x")
    clock.forward(hours=25)
    assert [tell_late(carried), tell_late(carried)] == [1, 0]


def test_not_collected(carried: Services, practice: APractice, clock: Clock) -> None:
    """What a way station has is late when the practice's system has not fetched it for a day."""
    make_submitted(carried, make_request(carried, practice), delivered=False)
    with carried.database.write() as db:
        row = db.query(Delivery).one()
        row.state, row.handed_at = "under way", clock() + timedelta(minutes=30)
    clock.forward(hours=24)
    assert tell_late(carried) == 0
    clock.forward(minutes=30)
    assert tell_late(carried) == 1

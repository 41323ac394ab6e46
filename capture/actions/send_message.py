"""Send messages that are due: one step of the worker."""

import logging
from datetime import datetime, timedelta

from capture.actions.deliver import wait_before
from capture.errors import Unavailable, Undeliverable, code_and_hint
from capture.notify.base import Message
from capture.services import Services
from capture.store import messages
from capture.store.messages import Lease

logger = logging.getLogger("capture.worker")
GIVE_UP_AFTER = timedelta(days=3)
"""How long a message is tried: longer than a mail server is down for a weekend."""


def send_next(services: Services) -> bool:
    """Send the message that has been due longest; False when there is none. A failed one is put back, or given up."""
    now = services.clock()
    with services.database.write() as db:
        lease = messages.lease_due(db, now)
        if lease is None:
            return False
        if lease.over_at and now >= lease.over_at and lease.request_id:  # a link that works no more
            messages.note_over(db, lease.request_id, now)
            return True
    try:
        provider_id = _send(services, lease)
    except Exception as error:  # whatever stands in the way of one message, the next one is sent
        _note_failure(services, lease, error, now)
        return True
    if provider_id:
        with services.database.write() as db:
            messages.mark_sent(db, lease, provider_id, services.clock())
    return True


def _send(services: Services, lease: Lease) -> str:
    """The carrier's id; empty when the message was dropped meanwhile."""
    messenger = services.messengers.get(lease.channel)
    if messenger is None:
        raise Unavailable(code="no-messenger", hint=f"nothing is configured that sends by {lease.channel}")
    with services.database.read() as db:
        letter = messages.letter_of(db, lease)
    if letter is None:
        return ""
    return messenger.send(Message(lease.message_id, letter.to, letter.text, letter.subject, lease.attempts))


def _note_failure(services: Services, lease: Lease, error: Exception, now: datetime) -> None:
    """The kind of error to the log, never its words (SECURITY 7)."""
    code, hint = code_and_hint(error)
    logger.warning("%s by %s failed, try %d: %s (%s)", lease.kind, lease.channel, lease.attempts, code, hint)
    final = isinstance(error, Undeliverable)
    with services.database.write() as db:
        if not final and now < lease.wanted_at + GIVE_UP_AFTER:
            messages.put_back(db, lease, services.clock() + wait_before(lease.attempts + 1), code)
            return
        messages.give_up(db, lease, services.clock(), code)
        if final and lease.request_id:
            messages.drop_messages(db, lease.request_id, lease.channel)  # the reminder would go to the same number

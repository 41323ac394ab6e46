"""Tell practices' systems what has happened: one step of the worker, in a thread of its own."""

import logging

from standardwebhooks import Webhook

from capture.actions.deliver import wait_before
from capture.errors import CaptureError
from capture.services import Services
from capture.store import webhooks
from capture.store.webhooks import GIVE_UP_AFTER, Lease

logger = logging.getLogger("capture.worker")


def send_webhook(services: Services) -> bool:
    """Send the event that has been due longest; False when there is none. A failed one is put back, or given up."""
    now = services.clock()
    with services.database.write() as db:
        lease = webhooks.lease_due(db, now)
    if lease is None:
        return False
    try:
        services.webhooks.post(lease.url, lease.body.encode(), _headers(services, lease))
    except Exception as error:  # whatever stands in the way of one event, the next one is sent
        _note_failure(services, lease, error)
        return True
    with services.database.write() as db:
        webhooks.mark_delivered(db, lease, services.clock())
    return True


def sweep_webhooks(services: Services) -> None:
    """Forget what is over."""
    with services.database.write() as db:
        webhooks.sweep(db, services.clock())


def _headers(services: Services, lease: Lease) -> dict[str, str]:
    """As Standard Webhooks have them: the id is the same at every try, the time and so the signature are of this one."""
    number, at = f"msg_{lease.delivery_id}", services.clock()
    with services.database.read() as db:
        secrets = webhooks.secrets_of(db, lease, at)
    return {
        "Content-Type": "application/json",
        "User-Agent": "capture",
        "webhook-id": number,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(number, at, lease.body) for secret in secrets),
    }


def _note_failure(services: Services, lease: Lease, error: Exception) -> None:
    """The address stays out of the log: it may hold a secret of the receiver's."""
    sentence = error.sentence if isinstance(error, CaptureError) else "Something went wrong here. Tell your operator."
    logger.warning("webhook failed, try %d: %s (%s)", lease.attempts, sentence, type(error).__name__)
    now = services.clock()
    with services.database.write() as db:
        if now < lease.created_at + GIVE_UP_AFTER:
            webhooks.put_back(db, lease, now + wait_before(lease.attempts + 1), sentence)
        else:
            webhooks.give_up(db, lease, now, sentence)

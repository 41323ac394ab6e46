"""The operator gives a practice's systems an address to be told at; its managers pause it and try it."""

from capture.domain.webhooks import check_url
from capture.errors import NotAllowed
from capture.services import Services
from capture.store import audit, requests, webhooks
from capture.store.journal import WEBHOOK
from capture.store.webhooks import Webhook

MOST = 5
"""Webhooks of a practice."""


def add_webhook(services: Services, practice_id: str, url: str, *, actor: str) -> tuple[Webhook, str]:
    """A webhook and its secret, which is shown now and never again. NotAllowed with the reason; Conflict: there already."""
    check_url(url)
    now = services.clock()
    with services.database.write() as db:
        if len(webhooks.list_webhooks(db, practice_id)) >= MOST:
            raise NotAllowed(f"This practice has {MOST} webhooks. Remove one first.")
        webhook, secret = webhooks.insert_webhook(db, practice_id, url, now)
        audit.append(db, practice_id, actor=actor, action="webhook added", subject=webhook.id, at=now)
    return webhook, secret


def renew_secret(services: Services, practice_id: str, webhook_id: str, *, actor: str) -> str:
    """A new secret; for a day what is sent is signed with the old one too. NotFound."""
    now = services.clock()
    with services.database.write() as db:
        secret = webhooks.change_secret(db, webhooks.find_webhook(db, practice_id, webhook_id), now)
        audit.append(db, practice_id, actor=actor, action="webhook secret renewed", subject=webhook_id, at=now)
    return secret


def remove_webhook(services: Services, practice_id: str, webhook_id: str, *, actor: str) -> None:
    """Forget a webhook and what was on its way to it. NotFound."""
    with services.database.write() as db:
        webhooks.delete_webhook(db, webhooks.find_webhook(db, practice_id, webhook_id))
        event = audit.append(db, practice_id, actor=actor, action="webhook removed", subject=webhook_id, at=services.clock())
        requests.note_ending(db, event, WEBHOOK)


def pause_webhook(services: Services, practice_id: str, webhook_id: str, *, paused: bool, actor: str) -> None:
    """Send nothing there until it goes on; what happens meanwhile waits, for three days. NotFound."""
    now = services.clock()
    with services.database.write() as db:
        webhook = webhooks.find_webhook(db, practice_id, webhook_id)
        webhook.paused_at = now if paused else None
        action = "webhook paused" if paused else "webhook resumed"
        audit.append(db, practice_id, actor=actor, action=action, subject=webhook_id, at=now)


def try_webhook(services: Services, practice_id: str, webhook_id: str, *, actor: str) -> None:
    """Send a test, behind what waits in the line; that is tried at once. NotFound."""
    now = services.clock()
    with services.database.write() as db:
        webhook = webhooks.find_webhook(db, practice_id, webhook_id)
        event = audit.append(db, practice_id, actor=actor, action="webhook tested", subject=webhook_id, at=now)
        webhooks.queue_event(db, webhook, "webhook.test", {}, event.number, now)
        webhooks.hurry(db, webhook, now)

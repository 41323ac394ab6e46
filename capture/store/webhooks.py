"""Webhooks: the addresses that a practice's systems listen at, and what is on its way to them.

What happened is queued in the transaction in which it happens, and sent in that order to each address: while one is not there, the
later ones wait. Leases are as outbox.py says.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from capture.errors import CaptureError, Conflict, NotFound
from capture.store.models import Base, Bundle, Request, new_id
from capture.store.outbox import Outgoing, lease_row, settle

GIVE_UP_AFTER, KEEP = timedelta(days=3), timedelta(days=30)
"""How long an event is tried, and how long what became of it is shown."""
OLD_SECRET = timedelta(days=1)
"""How long the secret before the last is signed with too, so that a receiver can change over."""


class Webhook(Base):
    """One address. Its secrets (`whsec_…`) are sealed; they sign, so the service must be able to open them."""

    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("practice_id", "url"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    url: Mapped[str] = mapped_column(String(500))
    secret_sealed: Mapped[bytes]
    old_secret_sealed: Mapped[bytes | None]
    old_secret_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]


_QUEUED = text("state = 'queued'")


class WebhookDelivery(Base, Outgoing):
    """One event on its way to one address: queued, delivered or given up. Its number is that of the audit event it tells of.

    `last_error` is a sentence of ours, never text from outside.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "number"),
        Index("ix_webhook_deliveries_state_due_at", "state", "due_at"),
        Index("ix_webhook_deliveries_queued", "webhook_id", "number", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(String(1000))  # JSON, never patient data
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None] = mapped_column(index=True)


@dataclass(frozen=True)
class Lease:
    """The right to send one event to one address, until it runs out."""

    delivery_id: str
    webhook_id: str
    url: str
    body: str
    attempts: int
    fence: int
    created_at: datetime


def insert_webhook(db: Session, practice_id: str, url: str, now: datetime) -> tuple[Webhook, str]:
    """Add an address; its row and its secret. Conflict when the practice has it already."""
    if db.scalars(select(Webhook).where(Webhook.practice_id == practice_id, Webhook.url == url)).first():
        raise Conflict("This practice has this webhook already.")
    webhook, secret = Webhook(id=new_id(), practice_id=practice_id, url=url, created_at=now), _new_secret()
    webhook.secret_sealed = _seal(db, webhook, secret)
    db.add(webhook)
    db.flush()
    return webhook, secret


def find_webhook(db: Session, practice_id: str, webhook_id: str) -> Webhook:
    """A webhook of that practice; another practice's is NotFound (SECURITY 28)."""
    webhook = db.get(Webhook, webhook_id)
    if webhook is None or webhook.practice_id != practice_id:
        raise NotFound
    return webhook


def list_webhooks(db: Session, practice_id: str) -> list[Webhook]:
    """A practice's webhooks, the oldest first."""
    return list(db.scalars(select(Webhook).where(Webhook.practice_id == practice_id).order_by(Webhook.created_at, Webhook.id)))


def change_secret(db: Session, webhook: Webhook, now: datetime) -> str:
    """A new secret; for a day the old one signs too."""
    secret = _new_secret()
    webhook.old_secret_sealed, webhook.old_secret_until = webhook.secret_sealed, now + OLD_SECRET
    webhook.secret_sealed = _seal(db, webhook, secret)
    return secret


def delete_webhook(db: Session, webhook: Webhook) -> None:
    """Forget an address and all that was on its way to it."""
    db.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id))
    db.delete(webhook)


def queue_move(db: Session, request: Request, number: int, now: datetime) -> None:
    """Tell the practice's systems that a request has moved; `number` is that of the audit event of the move."""
    webhooks = list_webhooks(db, request.practice_id)
    if not webhooks:
        return
    bundle_id = db.scalars(select(Bundle.id).where(Bundle.request_id == request.id)).first()
    data = {"request_id": request.id, "receipt": request.receipt, "state": str(request.state)}
    for webhook in webhooks:
        queue_event(db, webhook, f"request.{request.state}", data | ({"bundle_id": bundle_id} if bundle_id else {}), number, now)


def queue_event(db: Session, webhook: Webhook, kind: str, data: dict[str, str], number: int, now: datetime) -> None:
    """Put one event on its way to one address."""
    body = json.dumps({"type": kind, "timestamp": now.astimezone(UTC).isoformat(), "data": data})
    db.add(WebhookDelivery(webhook_id=webhook.id, number=number, kind=kind, body=body, state="queued", created_at=now, due_at=now))
    db.flush()


def lease_due(db: Session, now: datetime) -> Lease | None:
    """Take the event that has been due longest of those that are the first in their line, or None."""
    earlier = aliased(WebhookDelivery)
    same_line = (earlier.webhook_id == WebhookDelivery.webhook_id, earlier.number < WebhookDelivery.number)
    before = select(earlier.id).where(earlier.state == "queued", *same_line)
    paused = select(Webhook.id).where(Webhook.paused_at.is_not(None))
    row = lease_row(db, WebhookDelivery, now, ~before.exists(), WebhookDelivery.webhook_id.not_in(paused))
    if row is None:
        return None
    url = db.get_one(Webhook, row.webhook_id).url
    return Lease(row.id, row.webhook_id, url, row.body, row.attempts, row.fence, row.created_at)


def secrets_of(db: Session, lease: Lease, now: datetime) -> tuple[str, ...]:
    """The secrets to sign with, the newest first. CaptureError when one does not open: that webhook's line waits, no other."""
    webhook = db.get_one(Webhook, lease.webhook_id)
    kept = [webhook.secret_sealed]
    if webhook.old_secret_sealed and webhook.old_secret_until and now < webhook.old_secret_until:
        kept.append(webhook.old_secret_sealed)
    try:
        return tuple(db.info["vault"].open(sealed, f"webhooks.secret/{webhook.id}") for sealed in kept)
    except CaptureError:
        raise CaptureError("Its secret cannot be opened. Tell your operator.", code="webhook-failed") from None


def mark_delivered(db: Session, lease: Lease, now: datetime) -> bool:
    """Note the success; False when the lease was lost to another worker."""
    return _settle(db, lease, state="delivered", settled_at=now, last_error="")


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a sentence of ours, never text from outside."""
    return _settle(db, lease, due_at=due_at, last_error=error)


def give_up(db: Session, lease: Lease, now: datetime, error: str) -> bool:
    """Try no more, and let the next one in the line go."""
    return _settle(db, lease, state="given up", settled_at=now, last_error=error)


def hurry(db: Session, webhook: Webhook, now: datetime) -> None:
    """Try at once what waits for its next try."""
    waiting = update(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == "queued")
    db.execute(waiting.where(WebhookDelivery.due_at > now, WebhookDelivery.last_error != "").values(due_at=now))


def list_deliveries(db: Session, webhook_id: str, limit: int) -> list[WebhookDelivery]:
    """The last events for an address, the newest first."""
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    return list(db.scalars(query.order_by(WebhookDelivery.number.desc()).limit(limit)))


def sweep(db: Session, now: datetime) -> None:
    """Forget what was settled a month ago, and secrets whose day is over; give up what waits for an address that is paused."""
    db.execute(delete(WebhookDelivery).where(WebhookDelivery.settled_at < now - KEEP))
    paused = select(Webhook.id).where(Webhook.paused_at.is_not(None))
    stale = update(WebhookDelivery).where(WebhookDelivery.state == "queued", WebhookDelivery.created_at < now - GIVE_UP_AFTER)
    stale = stale.where(WebhookDelivery.webhook_id.in_(paused))
    db.execute(stale.values(state="given up", settled_at=now, last_error="It was paused."))
    over = update(Webhook).where(Webhook.old_secret_until < now)
    db.execute(over.values(old_secret_sealed=None, old_secret_until=None))


def _settle(db: Session, lease: Lease, **values: object) -> bool:
    return settle(db, WebhookDelivery, lease.delivery_id, lease.fence, **values)


def _new_secret() -> str:
    """256 random bits, as Standard Webhooks write them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _seal(db: Session, webhook: Webhook, secret: str) -> bytes:
    sealed: bytes = db.info["vault"].seal(secret, f"webhooks.secret/{webhook.id}")
    return sealed

"""The outbox: deliveries that are due, leased to one worker at a time.

A lease sets `due_at` to when it runs out and raises `fence`; whoever comes back with an older fence changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from capture.store.models import Bundle, Delivery

LEASE = timedelta(minutes=2)


@dataclass(frozen=True)
class Lease:
    """The right to make one delivery, until it runs out."""

    delivery_id: str
    bundle_id: str
    practice_id: str
    request_id: str
    inbox: str
    attempts: int
    fence: int


def lease_due(db: Session, now: datetime) -> Lease | None:
    """Take the delivery that has been due longest, or None."""
    due = select(Delivery.id).where(Delivery.state == "queued", Delivery.due_at <= now).order_by(Delivery.due_at).limit(1)
    taken = (
        update(Delivery)
        .where(Delivery.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(due_at=now + LEASE, fence=Delivery.fence + 1, attempts=Delivery.attempts + 1)
        .returning(Delivery)
    )
    row = db.scalars(taken).first()
    if row is None:
        return None
    bundle = db.get_one(Bundle, row.bundle_id)
    return Lease(row.id, bundle.id, bundle.practice_id, bundle.request_id, row.inbox, row.attempts, row.fence)


def mark_delivered(db: Session, lease: Lease, now: datetime) -> bool:
    """Note the success; False when the lease was lost to another worker."""
    return _settle(db, lease, state="delivered", delivered_at=now, last_error="")


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a code, never text from outside."""
    return _settle(db, lease, state="queued", due_at=due_at, last_error=error)


def all_delivered(db: Session, bundle_id: str) -> bool:
    """Whether no delivery of the bundle is still to be made."""
    return db.scalars(select(Delivery.id).where(Delivery.bundle_id == bundle_id, Delivery.state != "delivered")).first() is None


def _settle(db: Session, lease: Lease, **values: object) -> bool:
    settled = update(Delivery).where(Delivery.id == lease.delivery_id, Delivery.fence == lease.fence, Delivery.state == "queued")
    return db.execute(settled.values(**values).returning(Delivery.id)).first() is not None

"""Deliveries: bundles on their way to their inboxes, by the rules of outbox.py."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from capture.errors import Conflict, NotFound
from capture.store.models import Bundle, Delivery, DeliveryTry, Request
from capture.store.outbox import LEASE, lease_row, settle


@dataclass(frozen=True)
class Lease:
    """The right to make one delivery, until it runs out. `reference`: what the inbox called it when it came back from there."""

    delivery_id: str
    bundle_id: str
    practice_id: str
    request_id: str
    inbox: str
    attempts: int
    fence: int
    reference: str


def queue(db: Session, bundle: Bundle, inboxes: Iterable[str], number: int, now: datetime) -> None:
    """Put a bundle on its way to each inbox, in the transaction of the sending; `number` is that of its audit event."""
    on_its_way = {"bundle_id": bundle.id, "practice_id": bundle.practice_id, "number": number, "state": "queued", "due_at": now}
    db.add_all([Delivery(inbox=inbox, **on_its_way) for inbox in inboxes])
    db.flush()


def lease_due(db: Session, now: datetime, *, only: Collection[str] = (), but: Collection[str] = ()) -> Lease | None:
    """Take the delivery that has been due longest, of those that are the first of their practice to their inbox, or None.

    `only` names the inboxes that are looked at, where it names any, and `but` those that are not.
    """
    earlier = aliased(Delivery)
    same_line = (earlier.practice_id == Delivery.practice_id, earlier.inbox == Delivery.inbox, earlier.number < Delivery.number)
    before = select(earlier.id).where(earlier.state == "queued", *same_line)
    wanted = [Delivery.inbox.in_(only)] if only else []
    row = lease_row(db, Delivery, now, ~before.exists(), Delivery.inbox.not_in(but), *wanted)
    if row is None:
        return None
    bundle = db.get_one(Bundle, row.bundle_id)
    return Lease(row.id, bundle.id, row.practice_id, bundle.request_id, row.inbox, row.attempts, row.fence, row.reference)


def renew(db: Session, lease: Lease, now: datetime) -> bool:
    """Let the lease run on from now; False when it was lost."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, due_at=now + LEASE)


def mark_delivered(db: Session, lease: Lease, now: datetime, reference: str = "") -> bool:
    """Note the success; False when the lease was lost to another worker."""
    arrived = {"state": "delivered", "delivered_at": now, "reference": reference, "last_error": ""}
    return settle(db, Delivery, lease.delivery_id, lease.fence, **arrived)


def mark_under_way(db: Session, lease: Lease, now: datetime, reference: str) -> bool:
    """Note that a way station took it, and what it calls it; False when the lease was lost to another worker."""
    handed = {"state": "under way", "handed_at": now, "due_at": now, "reference": reference, "last_error": ""}
    return settle(db, Delivery, lease.delivery_id, lease.fence, **handed)


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a code, never text from outside."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, due_at=due_at, last_error=error)


def give_up(db: Session, lease: Lease, error: str) -> bool:
    """Try no more, so that it holds up nothing behind it; `again` takes that back."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, state="given up", last_error=error)


def note_try(db: Session, lease: Lease, now: datetime, error: str) -> None:
    """Keep that this try failed, and why."""
    db.add(DeliveryTry(delivery_id=lease.delivery_id, number=lease.fence, at=now, error=error))
    db.flush()


@dataclass(frozen=True)
class Shown:
    """A delivery as managers see it; `created_at` is when the patient sent the photos."""

    id: str
    request_id: str
    receipt: str
    inbox: str
    attempts: int
    last_error: str
    due_at: datetime
    delivered_at: datetime | None
    created_at: datetime


def list_deliveries(db: Session, practice_id: str, limit: int) -> list[Shown]:
    """The practice's deliveries: first those that were not made yet, then the others, each the newest first."""
    columns = (Delivery.id, Request.id, Request.receipt, Delivery.inbox, Delivery.attempts, Delivery.last_error, Delivery.due_at)
    query = select(*columns, Delivery.delivered_at, Bundle.created_at).where(Bundle.practice_id == practice_id)
    query = query.join(Bundle, Bundle.id == Delivery.bundle_id).join(Request, Request.id == Bundle.request_id)
    rows = db.execute(query.order_by(Delivery.state == "delivered", Bundle.created_at.desc(), Delivery.id).limit(limit))
    return [Shown(*row) for row in rows]


def make_due(db: Session, practice_id: str, delivery_id: str, now: datetime) -> str:
    """Let a delivery that failed be made at once; gives its request's id.

    NotFound: it is not the practice's. Conflict: it arrived, or no try of it has failed. Whoever is at it now may finish: both
    bring the same bundle to the same place.
    """
    row = db.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    bundle = db.get_one(Bundle, row.bundle_id) if row else None
    if row is None or bundle is None or bundle.practice_id != practice_id:
        raise NotFound
    if row.state != "queued" or not row.last_error:
        raise Conflict("These photos do not wait for another try.")
    row.due_at = now
    return bundle.request_id


def all_delivered(db: Session, bundle_id: str) -> bool:
    """Whether every inbox has the bundle: none waits for it, has it under way, or was given up."""
    return db.scalars(select(Delivery.id).where(Delivery.bundle_id == bundle_id, Delivery.state != "delivered")).first() is None

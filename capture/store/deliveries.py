"""Deliveries: bundles on their way to their inboxes, by the rules of outbox.py."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from capture.errors import Conflict, NotFound
from capture.store.models import Bundle, Delivery, DeliveryTry
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
    handed = {"state": "under way", "handed_at": now, "due_at": now, "told_at": None, "reference": reference}
    return settle(db, Delivery, lease.delivery_id, lease.fence, last_error="", **handed)


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a code, never text from outside."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, due_at=due_at, last_error=error)


def give_up(db: Session, lease: Lease, now: datetime, error: str) -> bool:
    """Try no more, so that it holds up nothing behind it; the caller tells staff. `make_due` takes that back."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, state="given up", told_at=now, last_error=error)


def note_try(db: Session, lease: Lease, now: datetime, error: str) -> None:
    """Keep that this try failed, and why."""
    db.add(DeliveryTry(delivery_id=lease.delivery_id, number=lease.fence, at=now, error=error))
    db.flush()


def list_late(db: Session, queued_before: datetime, handed_before: datetime, limit: int) -> list[Delivery]:
    """Deliveries nobody was told of that were queued before then and wait, or under way before then; held, the oldest first."""
    waits = and_(Delivery.state == "queued", Bundle.created_at <= queued_before)
    is_late = or_(waits, and_(Delivery.state == "under way", Delivery.handed_at <= handed_before))
    query = select(Delivery).join(Bundle, Bundle.id == Delivery.bundle_id).where(Delivery.told_at.is_(None), is_late)
    return list(db.scalars(query.order_by(Bundle.created_at).limit(limit).with_for_update(skip_locked=True, of=Delivery)))


def make_due(db: Session, practice_id: str, delivery_id: str, now: datetime) -> tuple[str, str]:
    """Let a delivery that failed or was given up be made at once; its request's id, and the state it was in.

    NotFound: it is not the practice's. Conflict: it arrived, is under way, is being tried now, or no try of it has failed. One
    that was given up gets as many tries as at first, and staff are told anew should it be late.
    """
    row = db.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    if row is None or row.practice_id != practice_id:
        raise NotFound
    before = row.state
    if before == "given up":
        row.state, row.attempts, row.last_error, row.told_at = "queued", 0, "", None
    elif before != "queued" or not row.last_error:
        raise Conflict("These photos do not wait for another try.")
    elif not db.get(DeliveryTry, (row.id, row.fence)):
        raise Conflict("These photos are being sent now. If that fails, you can try again in a few minutes.")
    row.due_at = now
    return db.get_one(Bundle, row.bundle_id).request_id, before


def all_delivered(db: Session, bundle_id: str) -> bool:
    """Whether every inbox has the bundle: none waits for it, has it under way, or was given up."""
    return db.scalars(select(Delivery.id).where(Delivery.bundle_id == bundle_id, Delivery.state != "delivered")).first() is None

"""Deliveries: bundles on their way to their inboxes, by the rules of outbox.py."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from capture.errors import Conflict, NotFound
from capture.store.models import Bundle, Delivery, DeliveryTry
from capture.store.outbox import LEASE, lease_row, settle

BEHIND = datetime(1970, 1, 1, tzinfo=UTC)
"""The `due_at` of a delivery that waits for an earlier one of its line, so that nobody looks at it meanwhile. Whatever leaves the
line lets the next one be due; what keeps the order is `lease_due` all the same.
"""
SOONEST = timedelta(minutes=2)
"""Before a way station is asked what became of a bundle that it took."""
_QUEUED = Delivery.state == "queued"


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


def queue(db: Session, bundle: Bundle, inboxes: Iterable[str], number: int, now: datetime, *, fence: int = 0) -> None:
    """Put a bundle on its way to each inbox; `number` is that of the audit event of its sending. With a `fence` of 1 no try counts
    as the first, so that each inbox is asked whether it has the bundle.

    The one before it in its line is held until the transaction ends, so that it cannot leave the line without seeing this one.
    One that is held by somebody else may be about to leave: then this one is due at once.
    """
    on_its_way = {"bundle_id": bundle.id, "practice_id": bundle.practice_id, "number": number, "state": "queued", "fence": fence}
    for inbox in inboxes:
        line = (_QUEUED, Delivery.practice_id == bundle.practice_id, Delivery.inbox == inbox, Delivery.number < number)
        last = select(Delivery.id).where(*line).order_by(Delivery.number.desc()).limit(1)
        before = db.scalars(last.with_for_update(skip_locked=True)).first()
        db.add(Delivery(inbox=inbox, due_at=BEHIND if before else now, **on_its_way))
    db.flush()


def queue_missing(db: Session, delivery_id: str, inboxes: Iterable[str], now: datetime) -> None:
    """Put the bundle of that delivery on its way to those of these inboxes that it never was on its way to.

    Or that the database knows of: one that was brought back from a backup may have forgotten it.
    """
    made = db.get_one(Delivery, delivery_id)
    known = set(db.scalars(select(Delivery.inbox).where(Delivery.bundle_id == made.bundle_id)))
    missing = [inbox for inbox in inboxes if inbox not in known]
    queue(db, db.get_one(Bundle, made.bundle_id), missing, made.number, now, fence=1)


def lease_due(db: Session, now: datetime, *, only: Collection[str] = (), but: Collection[str] = ()) -> Lease | None:
    """Take the delivery that has been due longest, of those that are the first of their practice to their inbox, or None.

    `only` names the inboxes that are looked at, where it names any, and `but` those that are not.
    """
    earlier = aliased(Delivery)
    same_line = (earlier.practice_id == Delivery.practice_id, earlier.inbox == Delivery.inbox, earlier.number < Delivery.number)
    before = select(earlier.id).where(earlier.state == "queued", *same_line)
    wanted = [Delivery.inbox.in_(only)] if only else []
    row = lease_row(db, Delivery, now, Delivery.due_at > BEHIND, ~before.exists(), Delivery.inbox.not_in(but), *wanted)
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
    return _leave(db, lease, now, **arrived)


def mark_under_way(db: Session, lease: Lease, now: datetime, reference: str) -> bool:
    """Note that a way station took it, and what it calls it; False when the lease was lost to another worker."""
    handed = {"state": "under way", "handed_at": now, "due_at": now + SOONEST, "told_at": None, "reference": reference}
    return _leave(db, lease, now, last_error="", **handed)


def was_dropped(db: Session, lease: Lease) -> bool:
    """Whether the photos were deleted while it was being made."""
    return db.scalar(select(Delivery.state).where(Delivery.id == lease.delivery_id)) == "dropped"


def put_back(db: Session, lease: Lease, due_at: datetime, error: str) -> bool:
    """Try again later; `error` is a code, never text from outside."""
    return settle(db, Delivery, lease.delivery_id, lease.fence, due_at=due_at, last_error=error)


def give_up(db: Session, lease: Lease, now: datetime, error: str) -> bool:
    """Try no more, so that it holds up nothing behind it; the caller tells staff. `make_due` takes that back."""
    return _leave(db, lease, now, state="given up", told_at=now, last_error=error)


def wake_lines(db: Session, now: datetime) -> None:
    """Let the first of each line be due, where what stood before it was taken away."""
    line = (Delivery.practice_id, Delivery.inbox)
    first = select(*line, func.min(Delivery.number)).where(_QUEUED).group_by(*line)
    stuck = select(Delivery.id).where(_QUEUED, Delivery.due_at == BEHIND, tuple_(*line, Delivery.number).in_(first))
    db.execute(update(Delivery).where(Delivery.id.in_(stuck.with_for_update(skip_locked=True))).values(due_at=now))


def _leave(db: Session, lease: Lease, now: datetime, **values: object) -> bool:
    """Take it out of its line, where the next one is due then; False when the lease was lost."""
    if not settle(db, Delivery, lease.delivery_id, lease.fence, **values):
        return False
    behind = (_QUEUED, Delivery.due_at == BEHIND)
    line = select(Delivery.id).where(*behind, Delivery.practice_id == lease.practice_id, Delivery.inbox == lease.inbox)
    following = line.order_by(Delivery.number).limit(1).scalar_subquery()
    db.execute(update(Delivery).where(Delivery.id == following, *behind).values(due_at=now))
    return True


def note_try(db: Session, lease: Lease, now: datetime, error: str) -> None:
    """Keep that this try failed, and why."""
    db.add(DeliveryTry(delivery_id=lease.delivery_id, number=lease.fence, at=now, error=error))
    db.flush()


def count_tries(db: Session, lease: Lease, error: str) -> int:
    """How many tries failed with that code since it was queued, or sent again."""
    these = (DeliveryTry.delivery_id == lease.delivery_id, DeliveryTry.number > lease.fence - lease.attempts)
    return db.scalar(select(func.count()).select_from(DeliveryTry).where(*these, DeliveryTry.error == error)) or 0


def hold(db: Session, request_id: str) -> None:
    """Hold a request's deliveries until the transaction ends, before anything goes into its practice's audit trail.

    Whoever has a delivery writes to the trail next: the other way round two would wait for each other.
    """
    of_request = select(Delivery.id).join(Bundle, Bundle.id == Delivery.bundle_id).where(Bundle.request_id == request_id)
    db.execute(of_request.order_by(Delivery.id).with_for_update(of=Delivery))


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

"""Deliveries that are under way: a way station has the bundle, and the practice has not taken it from there yet.

Each is looked at when its `due_at` has come; whoever looks sets that further, so that workers side by side look at different ones.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from capture.store.models import Bundle, Delivery, DeliveryTry
from capture.store.outbox import FARTHEST, LEASE

_UNDER_WAY = Delivery.state == "under way"


@dataclass(frozen=True)
class UnderWay:
    """A delivery under way: the inbox calls it `reference`, and has had it since `handed_at`."""

    delivery_id: str
    practice_id: str
    request_id: str
    inbox: str
    reference: str
    handed_at: datetime


def take_due(db: Session, now: datetime) -> UnderWay | None:
    """The one that has been due longest, or None. Nobody else gets it for a while."""
    ready = or_(Delivery.due_at <= now, Delivery.due_at > now + FARTHEST)
    due = select(Delivery.id).where(_UNDER_WAY, ready).order_by(Delivery.due_at).limit(1)
    due_id = due.with_for_update(skip_locked=True).scalar_subquery()
    row = db.scalars(update(Delivery).where(Delivery.id == due_id).values(due_at=now + LEASE).returning(Delivery)).first()
    return _under_way(db, row, now) if row else None


def find(db: Session, inbox: str, reference: str, now: datetime) -> UnderWay | None:
    """The one that the inbox calls so, if it is still under way."""
    row = db.scalars(select(Delivery).where(_UNDER_WAY, Delivery.inbox == inbox, Delivery.reference == reference)).first()
    return _under_way(db, row, now) if row else None


def look_again(db: Session, found: UnderWay, due_at: datetime) -> None:
    """Look at it again then."""
    _settle(db, found, due_at=due_at)


def mark_taken(db: Session, found: UnderWay, now: datetime) -> bool:
    """Note that the practice has it; False when somebody did so before."""
    return _settle(db, found, state="delivered", delivered_at=now)


def mark_came_back(db: Session, found: UnderWay, now: datetime, error: str, *, anew: bool = True) -> bool:
    """Give it up; the caller tells staff. False when somebody did so before.

    `anew`: it keeps the reference by which it came back, so that it is put there anew if it is sent again. Else the station, should
    it be there once more, is asked first whether it still has it.
    """
    reference = found.reference if anew else ""
    if not _settle(db, found, state="given up", told_at=now, last_error=error, reference=reference):
        return False
    row = db.get_one(Delivery, found.delivery_id)
    db.add(DeliveryTry(delivery_id=row.id, number=row.fence, at=now, error=error))
    db.flush()
    return True


def _settle(db: Session, found: UnderWay, **values: object) -> bool:
    same = (Delivery.id == found.delivery_id, _UNDER_WAY, Delivery.reference == found.reference)
    return db.execute(update(Delivery).where(*same).values(**values).returning(Delivery.id)).first() is not None


def _under_way(db: Session, row: Delivery, now: datetime) -> UnderWay:
    request_id = db.get_one(Bundle, row.bundle_id).request_id
    return UnderWay(row.id, row.practice_id, request_id, row.inbox, row.reference, row.handed_at or now)

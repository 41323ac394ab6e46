"""Deliveries as managers and operators see them: those that did not arrive yet, those that did, and the tries that failed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from capture.errors import NotFound
from capture.store.models import Bundle, Delivery, DeliveryTry, Practice, Request

OPEN = ("queued", "under way", "given up")
"""The states of a delivery that was not made."""


@dataclass(frozen=True)
class Shown:
    """A delivery; `ods` is its practice's code, `created_at` when the patient sent the photos.

    `told`: staff were told that it does not arrive. `waits`: its newest try has failed, so that none is being made.
    """

    id: str
    ods: str
    request_id: str
    receipt: str
    inbox: str
    state: str
    attempts: int
    last_error: str
    told: bool
    waits: bool
    due_at: datetime
    handed_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Tries:
    """How often a delivery failed with the same code, and when it did first and last."""

    error: str
    count: int
    first_at: datetime
    last_at: datetime


def list_open(db: Session, practice_id: str | None, limit: int) -> list[Shown]:
    """What was not delivered, of a practice or of all: given up first, then what is late or failed, each the newest first."""
    first = ((Delivery.state == "given up").desc(), Delivery.told_at.is_not(None).desc(), (Delivery.last_error != "").desc())
    query = _shown().where(Delivery.state.in_(OPEN))
    if practice_id is not None:
        query = query.where(Delivery.practice_id == practice_id)
    return [Shown(*row) for row in db.execute(query.order_by(*first, Bundle.created_at.desc(), Delivery.id).limit(limit))]


def list_arrived(db: Session, practice_id: str, limit: int, before: str = "") -> list[Shown]:
    """What arrived, the newest first; behind the delivery with the id `before`, if there is one. NotFound: it is not theirs."""
    query = _shown().where(Delivery.practice_id == practice_id, Delivery.state == "delivered")
    if before:
        last = db.get(Delivery, before)
        if last is None or last.practice_id != practice_id:
            raise NotFound
        query = query.where(tuple_(Delivery.number, Delivery.id) < (last.number, last.id))
    rows = db.execute(query.order_by(Delivery.number.desc(), Delivery.id.desc()).limit(limit))
    return [Shown(*row) for row in rows]


def tries_of(db: Session, delivery_ids: Collection[str]) -> dict[str, list[Tries]]:
    """The tries that failed, of each of these deliveries that has any: one entry for each code, the one that came first on top."""
    columns = (DeliveryTry.error, func.count(), func.min(DeliveryTry.at), func.max(DeliveryTry.at))
    query = select(DeliveryTry.delivery_id, *columns).where(DeliveryTry.delivery_id.in_(delivery_ids))
    found: dict[str, list[Tries]] = {}
    rows = db.execute(query.group_by(DeliveryTry.delivery_id, DeliveryTry.error).order_by(func.min(DeliveryTry.number)))
    for delivery_id, error, count, first_at, last_at in rows:
        found.setdefault(delivery_id, []).append(Tries(error, count, first_at, last_at))
    return found


def any_failed(db: Session, practice_id: str) -> bool:
    """Whether a delivery of the practice was given up, or is so late that staff were told."""
    failed = or_(Delivery.state == "given up", Delivery.told_at.is_not(None))
    query = select(Delivery.id).where(Delivery.practice_id == practice_id, Delivery.state.in_(OPEN), failed)
    return db.scalars(query.limit(1)).first() is not None


def practice_of(db: Session, delivery_id: str) -> str:
    """The id of the practice that a delivery belongs to; NotFound."""
    found = db.get(Delivery, delivery_id)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found.practice_id


def _shown() -> Select[*tuple[Any, ...]]:
    columns = (Delivery.id, Practice.ods, Request.id, Request.receipt, Delivery.inbox, Delivery.state, Delivery.attempts)
    failed = select(DeliveryTry.at).where(DeliveryTry.delivery_id == Delivery.id, DeliveryTry.number == Delivery.fence).exists()
    times = (Delivery.told_at.is_not(None), failed, Delivery.due_at, Delivery.handed_at, Delivery.delivered_at)
    query = select(*columns, Delivery.last_error, *times, Bundle.created_at).join(Bundle, Bundle.id == Delivery.bundle_id)
    return query.join(Request, Request.id == Bundle.request_id).join(Practice, Practice.id == Delivery.practice_id)

"""Figures of a practice for its dashboard: counts and times, nothing of anyone. A fixed number of statements, whatever there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from capture.domain.requests import State
from capture.store.models import AuditEvent, Photo, Request

MOST_TIMES = 10_000
"""Requests, the newest, of which the time to the photos is looked at."""


@dataclass(frozen=True)
class Waiting:
    """How many requests have photos that nobody has opened, and since when the oldest of them waits."""

    count: int
    oldest: datetime | None


def count_by_week(db: Session, practice_id: str, actions: Sequence[str], starts: Sequence[datetime]) -> dict[str, list[int]]:
    """For each kind of event, of how many requests there was one in each week; `starts` are the weeks' beginnings, oldest first."""
    week = case(*((AuditEvent.at >= start, number) for number, start in reversed(list(enumerate(starts))))).label("week")
    wanted = (AuditEvent.practice_id == practice_id, AuditEvent.action.in_(actions), AuditEvent.at >= starts[0])
    query = (
        select(AuditEvent.action, week, func.count(AuditEvent.subject.distinct()))
        .where(*wanted)
        .group_by(AuditEvent.action, "week")
    )
    counts = {action: [0] * len(starts) for action in actions}
    for action, number, count in db.execute(query):
        counts[action][number] = count
    return counts


def count_requests(db: Session, practice_id: str, action: str, since: datetime) -> int:
    """Of how many requests there was such an event since then."""
    wanted = (AuditEvent.practice_id == practice_id, AuditEvent.action == action, AuditEvent.at >= since)
    return db.scalar(select(func.count(AuditEvent.subject.distinct())).where(*wanted)) or 0


def times_to_photos(db: Session, practice_id: str, since: datetime) -> list[tuple[datetime, timedelta]]:
    """For each request whose photos were sent since then: when, and how long after the link had been sent."""
    query = select(Request.issued_at, Request.submitted_at).where(
        Request.practice_id == practice_id, Request.submitted_at.is_not(None), Request.submitted_at >= since
    )
    rows = db.execute(query.order_by(Request.issued_at.desc()).limit(MOST_TIMES))
    return [(submitted, submitted - issued) for issued, submitted in rows if submitted]


def bytes_stored(db: Session, practice_id: str) -> tuple[int, int]:
    """How many photos of the practice are stored, and their size in bytes, sealed."""
    query = select(func.count(), func.sum(Photo.sealed_size)).join(Request, Request.id == Photo.request_id)
    count, size = db.execute(query.where(Request.practice_id == practice_id, Photo.replaced.is_(False))).one()
    return count, int(size or 0)


def waiting(db: Session, practice_id: str) -> Waiting:
    """The photos that nobody has opened."""
    query = select(func.count(), func.min(Request.submitted_at)).where(
        Request.practice_id == practice_id, Request.state.in_((State.SUBMITTED, State.DELIVERED))
    )
    count, oldest = db.execute(query).one()
    return Waiting(count, oldest)

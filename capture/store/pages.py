"""Requests and bundles page by page, for systems that go through all of them: each page begins where the last one ended."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from capture.domain.requests import UNSETTLED, State
from capture.store.models import Bundle, Request

Place = tuple[datetime, str]
"""Where a page ended: the time that the list is ordered by, and the id."""


def page_requests(
    db: Session,
    practice_id: str,
    *,
    states: Collection[State] = (),
    since: datetime | None = None,
    after: Place | None = None,
    limit: int,
) -> list[Request]:
    """A practice's requests in those states (none: all) that changed since then, the longest unchanged first."""
    query = select(Request).where(Request.practice_id == practice_id)
    if states:
        query = query.where(Request.state.in_(list(states)))
    if since:
        query = query.where(Request.changed_at >= since)
    if after:
        query = query.where(tuple_(Request.changed_at, Request.id) > after)
    return list(db.scalars(query.order_by(Request.changed_at, Request.id).limit(limit)))


def page_bundles(
    db: Session, practice_id: str, *, states: Collection[State], after: Place | None = None, limit: int
) -> list[tuple[Bundle, Request]]:
    """A practice's bundles, with their requests, whose requests are in those states, the newest first."""
    query = select(Bundle, Request).join(Request, Request.id == Bundle.request_id)
    few = set(states) <= UNSETTLED  # those are found by their state, others by going through the practice's bundles in order
    query = query.where((Request if few else Bundle).practice_id == practice_id, Request.state.in_(list(states)))
    if after:
        query = query.where(tuple_(Bundle.created_at, Bundle.id) < after)
    rows = db.execute(query.order_by(Bundle.created_at.desc(), Bundle.id.desc()).limit(limit))
    return [(bundle, request) for bundle, request in rows]

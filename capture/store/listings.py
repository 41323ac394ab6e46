"""What the inbox lists: a practice's requests a page at a time, with few statements however many there are."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from capture.domain.requests import UNSETTLED, WAITING, State
from capture.store import tokens
from capture.store.models import Bundle, Member, Photo, Request
from capture.store.requests import open_details

SEARCHED = 5_000
"""How many requests a search opens at most, the newest: what they say of a patient is sealed, so each has to be opened."""


def count_states(db: Session, practice_id: str, now: datetime) -> dict[State, int]:
    """How many of the practice's requests people see in each state: one whose time is over counts as expired."""
    counts = dict.fromkeys(State, 0) | _counts(db, Request.practice_id == practice_id)
    over = _counts(db, Request.state.in_(WAITING), Request.expires_at <= now, Request.practice_id == practice_id)
    for state, number in over.items():
        counts[state] -= number
        counts[State.EXPIRED] += number
    return counts


def list_page(db: Session, practice_id: str, states: Collection[State], now: datetime, *, skip: int, limit: int) -> list[Request]:
    """Requests that people see in those states: those flagged and not settled first, then the newest first."""
    flagged = and_(Request.flagged_at.is_not(None), Request.state.in_(UNSETTLED))
    query = select(Request).where(Request.practice_id == practice_id, _shown(states, now))
    if State.DELIVERED in states:
        query = query.order_by(flagged.desc())
    return list(db.scalars(query.order_by(Request.issued_at.desc(), Request.id).offset(skip).limit(limit)))


def count_photos(db: Session, request_ids: Collection[str]) -> dict[str, int]:
    """For each of these requests how many photos it has; one without any is left out."""
    query = select(Photo.request_id, func.count()).where(Photo.request_id.in_(request_ids), Photo.replaced.is_(False))
    return dict(db.execute(query.group_by(Photo.request_id)).all())


def bundle_ids(db: Session, request_ids: Collection[str]) -> dict[str, str]:
    """For each of these requests the id of its bundle; one that was not sent is left out."""
    query = select(Bundle.request_id, Bundle.id).where(Bundle.request_id.in_(request_ids))
    return dict(db.execute(query).all())


def names_of(db: Session, actors: Iterable[str]) -> dict[str, str]:
    """The names of those of them who are members, or tokens of other systems."""
    ids = set(actors)
    members = db.execute(select(Member.id, Member.name).where(Member.id.in_(ids)))
    return {row[0]: row[1] for row in members} | tokens.names_of(db, ids)


def search(
    db: Session, practice_id: str, matches: Callable[[str, str, str], bool], receipt: str = "", limit: int = SEARCHED
) -> tuple[list[str], int]:
    """Requests whose label, reference and receipt match, newest first, by id; and how many were looked at, at most `limit`.

    One that has exactly this `receipt` is found however old it is.
    """
    query = select(Request.id, Request.receipt, Request.details_sealed).where(Request.practice_id == practice_id)
    found, looked = [], 0
    for request_id, its_receipt, sealed in db.execute(query.order_by(Request.issued_at.desc(), Request.id).limit(limit)):
        details = open_details(db, request_id, sealed)
        looked += 1
        if matches(details.label, details.reference, its_receipt):
            found.append(request_id)
    exact = db.scalars(select(Request.id).where(Request.practice_id == practice_id, Request.receipt == receipt)).first()
    return ([exact] if exact and exact not in found else []) + found, looked


def list_by_ids(db: Session, practice_id: str, request_ids: Collection[str]) -> list[Request]:
    """Those of the practice's requests, newest first."""
    query = select(Request).where(Request.practice_id == practice_id, Request.id.in_(request_ids))
    return list(db.scalars(query.order_by(Request.issued_at.desc(), Request.id)))


def practices_with_unflagged(db: Session) -> list[str]:
    """The ids of the practices that have photos nobody has opened, or locked links, of which they were not told yet."""
    query = select(Request.practice_id).where(Request.state.in_(UNSETTLED), Request.flagged_at.is_(None))
    return list(db.scalars(query.distinct().order_by(Request.practice_id)))


def list_unflagged(db: Session, practice_id: str, sent_before: datetime, limit: int) -> list[Request]:
    """Locked links, and photos sent before then, of which the practice was not told; the oldest first, held until the end."""
    locked = Request.state == State.LOCKED
    waits = and_(Request.state.in_([State.SUBMITTED, State.DELIVERED]), Request.submitted_at < sent_before)
    query = select(Request).where(Request.practice_id == practice_id, Request.flagged_at.is_(None), or_(locked, waits))
    return list(db.scalars(query.order_by(locked.desc(), Request.submitted_at).limit(limit).with_for_update(skip_locked=True)))


def _counts(db: Session, *where: ColumnElement[bool]) -> dict[State, int]:
    query = select(Request.state, func.count()).where(*where).group_by(Request.state)
    return {State(state): number for state, number in db.execute(query)}


def _shown(states: Collection[State], now: datetime) -> ColumnElement[bool]:
    """Requests that are in one of these states as people see it."""
    live = and_(Request.state.in_([state for state in states if state in WAITING]), Request.expires_at > now)
    over = and_(Request.state.in_(WAITING), Request.expires_at <= now) if State.EXPIRED in states else false()
    return or_(Request.state.in_([state for state in states if state not in WAITING]), live, over)

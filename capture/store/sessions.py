"""Sessions, kept here so that signing out ends them at once (SECURITY 26). The cookie holds 256 random bits, this their hash.

Kinds: `password` (a member who still has to give the one-time code), `passkey` (someone who was asked to use one), `openid`
(someone who went to another service to sign in), `invited` (someone who opened an invitation), `staff`, `patient` (someone who
gave the date of birth), `receipt` (what a patient's session becomes once the photos are sent: it shows the receipt, nothing else).
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from capture.store.models import SessionRow


@dataclass(frozen=True)
class Lifetime:
    """How long a session lives unused, and in all."""

    idle: timedelta
    total: timedelta


LIFETIMES = {
    "password": Lifetime(timedelta(minutes=10), timedelta(minutes=10)),
    "passkey": Lifetime(timedelta(minutes=5), timedelta(minutes=5)),
    "invited": Lifetime(timedelta(minutes=30), timedelta(minutes=30)),
    "openid": Lifetime(timedelta(minutes=10), timedelta(minutes=10)),
    "staff": Lifetime(timedelta(minutes=30), timedelta(hours=12)),
    "patient": Lifetime(timedelta(hours=12), timedelta(days=2)),
    "receipt": Lifetime(timedelta(days=28), timedelta(days=28)),
}
FRESH = timedelta(minutes=15)
"""How long after signing in a member may change what proves who they are."""
_TOUCH_EVERY = timedelta(minutes=1)


def start_session(
    db: Session,
    kind: str,
    *,
    now: datetime,
    member_id: str | None = None,
    practice_id: str | None = None,
    request_id: str | None = None,
) -> str:
    """Begin a session and give the cookie's value; sessions whose time is over are swept away on the way."""
    db.execute(delete(SessionRow).where(SessionRow.expires_at < now))
    cookie = secrets.token_urlsafe(32)
    db.add(
        SessionRow(
            id_hash=_hash(cookie),
            kind=kind,
            member_id=member_id,
            practice_id=practice_id,
            request_id=request_id,
            created_at=now,
            seen_at=now,
            expires_at=now + LIFETIMES[kind].total,
        )
    )
    return cookie


def find_session(db: Session, cookie: str, kind: str, now: datetime) -> SessionRow | None:
    """The live session of that kind, or None."""
    row = db.get(SessionRow, _hash(cookie))
    if row is None or row.kind != kind or now >= row.expires_at or now - row.seen_at >= LIFETIMES[kind].idle:
        return None
    return row


def needs_touch(row: SessionRow, now: datetime) -> bool:
    """Whether it is time to note that the session is in use: once a minute, so that pages are reads."""
    return now - row.seen_at >= _TOUCH_EVERY


def touch_session(db: Session, row: SessionRow, now: datetime) -> None:
    """Note that the session is in use."""
    db.execute(update(SessionRow).where(SessionRow.id_hash == row.id_hash).values(seen_at=now))


def replace_session(db: Session, cookie: str, practice_id: str) -> str:
    """The cookie of a new session in another practice, which began and ends when the old one did; the old one ends now."""
    old = db.get_one(SessionRow, _hash(cookie))
    new = start_session(db, old.kind, now=old.seen_at, member_id=old.member_id, practice_id=practice_id)
    row = db.get_one(SessionRow, _hash(new))
    row.created_at, row.expires_at = old.created_at, old.expires_at
    db.delete(old)
    return new


def is_fresh(row: SessionRow, now: datetime) -> bool:
    """Whether the member signed in just now."""
    return now - row.created_at < FRESH


def add_pending(db: Session, cookie: str, name: str, value: str) -> None:
    """Keep what the session must get back under that name; it takes the place of what it waited for before."""
    row = db.get_one(SessionRow, _hash(cookie))
    row.pending_sealed = db.info["vault"].seal({**_pending(db, row), name: value}, _place(row))


def pending(db: Session, cookie: str, name: str) -> str:
    """What the session waits for under that name; it goes on waiting."""
    row = db.get(SessionRow, _hash(cookie))
    return _pending(db, row).get(name, "") if row else ""


def take_pending(db: Session, cookie: str, name: str) -> str:
    """What the session waited for under that name, once: whoever asks a second time, or at the same moment, gets nothing."""
    row = db.get(SessionRow, _hash(cookie), with_for_update=True, populate_existing=True)
    pending = _pending(db, row) if row else {}
    value = pending.pop(name, "")
    if row and value:
        row.pending_sealed = db.info["vault"].seal(pending, _place(row)) if pending else None
    return value


def end_sessions_of_member(db: Session, member_id: str, *, practice_id: str | None = None, but: str = "") -> None:
    """End a member's sessions, in one practice or everywhere; the one with the cookie `but` stays."""
    theirs = delete(SessionRow).where(SessionRow.member_id == member_id, SessionRow.id_hash != _hash(but))
    db.execute(theirs if practice_id is None else theirs.where(SessionRow.practice_id == practice_id))


def end_session(db: Session, cookie: str) -> None:
    """End one session, at once."""
    db.execute(delete(SessionRow).where(SessionRow.id_hash == _hash(cookie)))


def end_sessions_of_request(db: Session, request_id: str) -> None:
    """End every patient session of a request."""
    db.execute(delete(SessionRow).where(SessionRow.request_id == request_id))


def keep_receipts(db: Session, request_id: str, now: datetime) -> None:
    """Turn every patient session of a request that was sent into one that shows the receipt."""
    of_patients = update(SessionRow).where(SessionRow.request_id == request_id, SessionRow.kind == "patient")
    db.execute(of_patients.values(kind="receipt", seen_at=now, expires_at=now + LIFETIMES["receipt"].total))


def _pending(db: Session, row: SessionRow) -> dict[str, str]:
    found: dict[str, str] = db.info["vault"].open(row.pending_sealed, _place(row)) if row.pending_sealed else {}
    return found


def _place(row: SessionRow) -> str:
    return f"sessions.pending/{row.id_hash}"


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()

"""A member signs in: the password, then a one-time code from an authenticator app (RFC 6238)."""

import hmac
from datetime import datetime

import pyotp
from sqlalchemy.orm import Session

from capture.errors import NotFound
from capture.services import Services
from capture.store import audit, members, recovery_codes, sessions
from capture.store.models import Member

STEP_SECONDS = 30
_WINDOW = (0, -1, 1)
"""Steps that are tried: now, and one either side for a clock that is off."""


def give_password(services: Services, email: str, password: str) -> str | None:
    """The cookie of a half signed-in session, or None. Takes as long for an address that nobody has."""
    now = services.clock()
    with services.database.read() as db:
        member = members.find_member(db, email)
    right = services.vault.check_secret(member.password_hash if member else None, password, "members.password")
    with services.database.write() as db:
        if member is None or not right:
            audit.append(db, "", actor="somebody", action="sign-in refused", subject=member.id if member else "", at=now)
            return None
        return sessions.start_session(db, "password", now=now, member_id=member.id)


def give_code(services: Services, cookie: str, code: str) -> str | None:
    """The cookie of a new staff session, or None: the code (or recovery code) is wrong, late or used. The half session ends."""
    now = services.clock()
    with services.database.write() as db:
        session = sessions.find_session(db, cookie, "password", now)
        if session is None or session.member_id is None:
            return None
        member = db.get_one(Member, session.member_id)
        step = step_of(members.code_secret(db, member), code, now)
        if step is not None:
            how = "code" if members.spend_code_step(db, member.id, step) else ""
        else:
            how = "recovery code" if recovery_codes.spend_code(db, member.id, code) else ""
        started = start_staff_session(db, member, now, how=how) if how else None
        if started is None:
            audit.append(db, "", actor=member.id, action="code refused", subject=member.id, at=now)
            return None
        sessions.end_session(db, cookie)
        return started


def start_staff_session(db: Session, member: Member, now: datetime, *, how: str, practice_id: str | None = None) -> str | None:
    """The cookie of a new session of someone who has proved who it is, in that or the first of their practices; None: in none."""
    places = [place for place in members.list_memberships(db, member.id) if practice_id in {None, place[0].id}]
    if not places or member.removed_at:
        return None
    practice, _ = places[0]
    audit.append(db, practice.id, actor=member.id, action="signed in", subject=member.id, at=now, how=how)
    return sessions.start_session(db, "staff", now=now, member_id=member.id, practice_id=practice.id)


def switch_practice(services: Services, cookie: str, member_id: str, practice_id: str) -> str:
    """The cookie of a session with an id of its own in another of the member's practices (SECURITY 26). NotFound: not theirs."""
    with services.database.write() as db:
        if practice_id not in {practice.id for practice, _ in members.list_memberships(db, member_id)}:
            raise NotFound
        now = services.clock()
        audit.append(db, practice_id, actor=member_id, action="signed in", subject=member_id, at=now, how="switch")
        return sessions.replace_session(db, cookie, practice_id)


def sign_out(services: Services, cookie: str) -> None:
    """End the session at once."""
    with services.database.write() as db:
        sessions.end_session(db, cookie)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that a code of that secret (base32) is for: now, or one either side; None when it is for none of them."""
    codes, now_step = pyotp.TOTP(secret, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    for step in (now_step + offset for offset in _WINDOW):
        if hmac.compare_digest(codes.generate_otp(step).encode(), code.encode()):
            return step
    return None

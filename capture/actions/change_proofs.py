"""A member changes what proves who they are: password or authenticator app. Other browsers are signed out (SECURITY 26)."""

import pyotp

from capture.actions.add_member import otpauth_of
from capture.actions.sign_in import step_of
from capture.domain.passwords import check_password
from capture.errors import Conflict, NotAllowed
from capture.services import Services
from capture.store import audit, members, sessions
from capture.store.models import Member, Practice

WAITING = "app"
"""Under this name the session keeps the secret of an app that is being set up."""


def change_password(services: Services, member_id: str, practice_id: str, cookie: str, old: str, new: str) -> None:
    """Take the new password from now on. Conflict: the member has none.

    NotAllowed: the old one is not right (with the code `wrong-password`), or the new one breaks a rule.
    """
    with services.database.read() as db:
        member, practice = db.get_one(Member, member_id), db.get_one(Practice, practice_id)
    if not member.password_hash:
        raise Conflict("You sign in through another service, so you have no password here.")
    if not services.vault.check_secret(member.password_hash, old, "members.password"):
        raise NotAllowed("This is not your password.", code="wrong-password")
    check_password(new, (member.name, member.email, practice.name))
    if new == old:
        raise NotAllowed("This is the password you have. Choose another.")
    password_hash = services.vault.hash_secret(new, "members.password")
    with services.database.write() as db:
        members.set_password(db, member_id, password_hash)
        sessions.end_sessions_of_member(db, member_id, but=cookie)
        audit.append(db, practice_id, actor=member_id, action="password changed", subject=member_id, at=services.clock())


def begin_app(services: Services, cookie: str) -> None:
    """Make a secret for an app; it waits in the session and counts for nothing yet. One from before is forgotten."""
    with services.database.write() as db:
        sessions.add_pending(db, cookie, WAITING, pyotp.random_base32())


def waiting_app(services: Services, cookie: str, email: str) -> tuple[str, str] | None:
    """The secret that waits (base32) and the same as an otpauth address; None where none does."""
    with services.database.read() as db:
        secret = sessions.pending(db, cookie, WAITING)
    return (secret, otpauth_of(secret, email)) if secret else None


def change_app(services: Services, member_id: str, practice_id: str, cookie: str, code: str) -> None:
    """Take the app that shows this code; the one before stops. NotAllowed: the code is not right, or nothing waits."""
    now = services.clock()
    with services.database.write() as db:
        secret = sessions.pending(db, cookie, WAITING)
        step = step_of(secret, code, now) if secret else None
        if step is None:
            raise NotAllowed("This code is not right. Wait for the next one in your app, then type that.", code="wrong-code")
        sessions.take_pending(db, cookie, WAITING)
        members.set_code_secret(db, member_id, secret, step)
        sessions.end_sessions_of_member(db, member_id, but=cookie)
        audit.append(db, practice_id, actor=member_id, action="authenticator app changed", subject=member_id, at=now)

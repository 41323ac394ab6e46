"""Add a member of staff."""

import re
from dataclasses import dataclass

import pyotp

from capture.errors import NotAllowed
from capture.services import Services
from capture.store import audit, members, practices
from capture.store.members import ROLES

MIN_PASSWORD = 12
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|[^\s@]+@localhost")


@dataclass(frozen=True)
class NewMember:
    """What the member must be told once: the secret for the authenticator app (base32) and the same as an otpauth address."""

    member_id: str
    code_secret: str
    otpauth: str


def add_member(
    services: Services, ods: str, *, email: str, name: str, role: str, password: str, code_secret: str | None = None
) -> NewMember:
    """Add a person to a practice. Raises NotAllowed with the reason, NotFound (no such practice), Conflict (address taken)."""
    if not _EMAIL.fullmatch(email.strip()) or len(email) > 254:
        raise NotAllowed(f"{email!r} is not an e-mail address.")
    if role not in ROLES:
        raise NotAllowed(f"The role must be one of {', '.join(ROLES)}.")
    if len(password) < MIN_PASSWORD:
        raise NotAllowed(f"The password must have at least {MIN_PASSWORD} characters.")
    now = services.clock()
    code_secret = code_secret or pyotp.random_base32()
    password_hash = services.vault.hash_secret(password, "members.password")
    with services.database.write() as db:
        practice = practices.find_practice(db, ods)
        member = members.insert_member(db, email=email, name=name, password_hash=password_hash, code_secret=code_secret, now=now)
        members.add_to_practice(db, member.id, practice.id, role)
        audit.append(db, practice.id, actor="operator", action="member added", subject=member.id, at=now, role=role)
    otpauth = pyotp.TOTP(code_secret, name=member.email, issuer="Capture").provisioning_uri()
    return NewMember(member.id, code_secret, otpauth)

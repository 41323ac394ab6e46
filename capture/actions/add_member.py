"""Add a member of staff."""

import re
from dataclasses import dataclass

import pyotp

from capture.domain.passwords import check_password
from capture.errors import NotAllowed
from capture.services import Services
from capture.store import audit, members, practices
from capture.store.members import ROLES

MAX_NAME, MAX_EMAIL = 200, 254
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
    check_email(email)
    check_role(role)
    name = check_name(name)
    check_password(password, (name, email))
    now = services.clock()
    code_secret = code_secret or pyotp.random_base32()
    password_hash = services.vault.hash_secret(password, "members.password")
    with services.database.write() as db:
        practice = practices.find_practice(db, ods)
        member = members.insert_member(db, email=email, name=name, password_hash=password_hash, code_secret=code_secret, now=now)
        members.add_to_practice(db, member.id, practice.id, role)
        audit.append(db, practice.id, actor="operator", action="member added", subject=member.id, at=now, role=role)
    return NewMember(member.id, code_secret, otpauth_of(code_secret, member.email))


def otpauth_of(code_secret: str, email: str) -> str:
    """The secret of an authenticator app as an address, to be shown as a QR code."""
    return pyotp.TOTP(code_secret, name=email, issuer="Capture").provisioning_uri()


def check_email(email: str) -> str:
    """The address as it is stored; NotAllowed when it is none."""
    address = members.normal_email(email)
    if not _EMAIL.fullmatch(address) or not address.isprintable() or len(address) > MAX_EMAIL:
        raise NotAllowed(f"{email!r} is not an e-mail address.")
    return address


def check_name(name: str) -> str:
    """The name without spaces around it; NotAllowed when it is none."""
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise NotAllowed(f"A member needs a name on one line, of at most {MAX_NAME} characters.")
    return name


def check_role(role: str) -> None:
    """NotAllowed when there is no such role."""
    if role not in ROLES:
        raise NotAllowed(f"The role must be one of {', '.join(ROLES)}.")

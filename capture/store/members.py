"""Members of staff: who they are, what they may do, how they prove it."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from capture.errors import Conflict, NotAllowed, NotFound
from capture.store.models import Member, Membership, Practice, new_id

ROLES = ("requester", "reader", "manager")
LAST_MANAGER = "A practice needs a manager, and this is the last one. Make someone else a manager first."


def insert_member(db: Session, *, email: str, name: str, password_hash: str, code_secret: str, now: datetime) -> Member:
    """Add a person; Conflict when the e-mail address is taken. `code_secret` is base32, as authenticator apps take it."""
    email = normal_email(email)
    if find_member(db, email):
        raise Conflict("There is a member with this e-mail address already.")
    member = Member(id=new_id(), email=email, name=name, password_hash=password_hash, code_step=0, created_at=now)
    member.code_secret_sealed = db.info["vault"].seal(code_secret, f"members.code_secret/{member.id}")
    db.add(member)
    db.flush()
    return member


def renew_member(
    db: Session, member_id: str, *, email: str, name: str, password_hash: str, code_secret: str, now: datetime
) -> Member:
    """Set up a person who belongs to no practice: one who is new, under that id, or one who returns. Conflict: has a practice."""
    member = db.scalars(select(Member).where(Member.email == normal_email(email))).first()
    if member is None:
        member = Member(id=member_id, email=normal_email(email), created_at=now)
    elif list_memberships(db, member.id):
        raise Conflict("There is a member with this e-mail address already.")
    member.name, member.password_hash, member.code_step, member.removed_at = name, password_hash, 0, None
    member.code_secret_sealed = db.info["vault"].seal(code_secret, f"members.code_secret/{member.id}")
    db.add(member)
    db.flush()
    return member


def normal_email(email: str) -> str:
    """The form that is stored and compared."""
    return email.strip().casefold()


def add_to_practice(db: Session, member_id: str, practice_id: str, role: str) -> None:
    """Let a member act in a practice, in one of ROLES."""
    db.merge(Membership(member_id=member_id, practice_id=practice_id, role=role))
    db.flush()


def find_member(db: Session, email: str) -> Member | None:
    """By e-mail address; a removed member is not found."""
    return db.scalars(select(Member).where(Member.email == normal_email(email), Member.removed_at.is_(None))).first()


def list_memberships(db: Session, member_id: str) -> list[tuple[Practice, str]]:
    """The practices of a member, with the role, by name."""
    query = select(Practice, Membership.role).join(Membership, Membership.practice_id == Practice.id)
    rows = db.execute(query.where(Membership.member_id == member_id).order_by(Practice.name))
    return [(practice, role) for practice, role in rows]


def list_members(db: Session, practice_id: str) -> list[tuple[Member, str]]:
    """The members of a practice, with the role, by name."""
    query = select(Member, Membership.role).join(Membership, Membership.member_id == Member.id)
    rows = db.execute(query.where(Membership.practice_id == practice_id).order_by(Member.name, Member.id))
    return [(member, role) for member, role in rows]


def change_role(db: Session, practice_id: str, member_id: str, role: str | None) -> str:
    """Give a member another role in a practice, or none (None: out of the practice); gives the role before.

    NotFound: not of this practice. Conflict: there is no such role. NotAllowed: the practice would be left without a manager.
    The practice's memberships are locked meanwhile, so that two managers cannot remove each other at the same moment.
    """
    theirs = select(Membership).where(Membership.practice_id == practice_id).with_for_update()
    roles = {row.member_id: row.role for row in db.scalars(theirs.execution_options(populate_existing=True))}
    if member_id not in roles:
        raise NotFound
    if role not in {None, *ROLES}:
        raise Conflict("Choose what the member may do, then save again.", code="no-such-role")
    if role != "manager" and list(roles.values()).count("manager") == 1 and roles[member_id] == "manager":
        raise NotAllowed(LAST_MANAGER, code="last-manager")
    one = (Membership.practice_id == practice_id, Membership.member_id == member_id)
    db.execute(delete(Membership).where(*one) if role is None else update(Membership).where(*one).values(role=role))
    return roles[member_id]


def code_secret(db: Session, member: Member) -> str:
    """The secret of the member's authenticator app, in base32."""
    secret: Any = db.info["vault"].open(member.code_secret_sealed, f"members.code_secret/{member.id}")
    return str(secret)


def set_password(db: Session, member_id: str, password_hash: str) -> None:
    """Take another password from now on, as `Vault.hash_secret` gives it."""
    db.execute(update(Member).where(Member.id == member_id).values(password_hash=password_hash))


def set_code_secret(db: Session, member_id: str, secret: str, step: int) -> None:
    """Take another authenticator app (base32) from now on; `step` is the time step of its first code, which is used up."""
    sealed = db.info["vault"].seal(secret, f"members.code_secret/{member_id}")
    db.execute(update(Member).where(Member.id == member_id).values(code_secret_sealed=sealed, code_step=step))


def spend_code_step(db: Session, member_id: str, step: int) -> bool:
    """Use up a time step, once and in order; False when it, or a later one, was used before (SECURITY 24)."""
    spent = update(Member).where(Member.id == member_id, Member.code_step < step).values(code_step=step)
    return db.execute(spent.returning(Member.id)).first() is not None

"""A manager asks someone into the practice; that person comes in with proofs of their own, which no manager ever sees."""

from dataclasses import dataclass

import pyotp

from capture.actions.add_member import check_email, check_name, check_role, otpauth_of
from capture.actions.passkeys import check_registration
from capture.actions.sign_in import start_staff_session, step_of
from capture.domain.links import new_token
from capture.domain.messages import invitation_text
from capture.domain.passwords import check_password
from capture.errors import Conflict, NotAllowed, NotFound
from capture.services import Services
from capture.store import audit, invitations, members, messages, passkeys, recovery_codes, sessions
from capture.store.models import Practice, new_id

GONE = "This invitation does not work any more. Ask the manager who sent it for a new one."


@dataclass(frozen=True)
class Offer:
    """What an invited person is asked to join, and as whom. `known`: a member of another practice already."""

    practice: Practice
    email: str
    role: str
    known: bool


@dataclass(frozen=True)
class Joining:
    """Someone who accepted and now sets up: `code_secret` is for the authenticator app, `otpauth` the same as an address."""

    offer: Offer
    member_id: str
    code_secret: str
    otpauth: str

    def names(self, name: str) -> tuple[str, ...]:
        """What the password must not be made of."""
        return name, self.offer.email, self.offer.practice.name


def invite(services: Services, practice_id: str, email: str, role: str, *, actor: str) -> str:
    """The link, shown once; where e-mail is configured it is sent as well, and waits sealed until then.

    NotAllowed with the reason; Conflict when that person is in already.
    """
    email, token, now = check_email(email), new_token(), services.clock()
    check_role(role)
    link = f"{services.settings.origin}/staff/join/{token}"
    with services.database.write() as db:
        if email in {member.email for member, _ in members.list_members(db, practice_id)}:
            raise Conflict("This person is a member of the practice already.")
        made = invitations.insert_invitation(db, practice_id, email=email, role=role, token=token, invited_by=actor, now=now)
        audit.append(db, practice_id, actor=actor, action="member invited", subject=made.id, at=now, role=role)
        if "email" in services.messengers:
            name = db.get_one(Practice, practice_id).name
            messages.queue_message(
                db,
                practice_id=practice_id,
                request_id=None,
                kind="invitation",
                channel="email",
                to=email,
                subject=f"{name} invites you",
                text=invitation_text(name, link, invitations.LIFETIME.days),
                due_at=now,
            )
    return link


def withdraw(services: Services, practice_id: str, invitation_id: str, *, actor: str) -> None:
    """Take an invitation back. NotFound."""
    with services.database.write() as db:
        invitations.delete_invitation(db, practice_id, invitation_id)
        audit.append(db, practice_id, actor=actor, action="invitation withdrawn", subject=invitation_id, at=services.clock())


def look_at(services: Services, token: str) -> Offer:
    """What the link offers; nothing changes. NotFound says whom to ask."""
    with services.database.read() as db:
        found = invitations.find_invitation(db, token, services.clock())
        if found is None:
            raise NotFound(GONE)
        member = members.find_member(db, found.email)
        known = member is not None and bool(members.list_memberships(db, member.id))
        return Offer(db.get_one(Practice, found.practice_id), found.email, found.role, known)


def accept(services: Services, token: str) -> str:
    """The cookie of a session in which the person sets up; empty for someone who is a member elsewhere: they are in. NotFound."""
    now = services.clock()
    offer = look_at(services, token)
    with services.database.write() as db:
        found = invitations.find_invitation(db, token, now)
        if found is None:
            raise NotFound(GONE)
        member = members.find_member(db, found.email)
        if offer.known and member:
            invitations.use_invitation(db, found.id, now)
            members.add_to_practice(db, member.id, found.practice_id, found.role)
            audit.append(db, found.practice_id, actor=member.id, action="member joined", subject=member.id, at=now, role=found.role)
            return ""
        cookie = sessions.start_session(db, "invited", now=now)
        sessions.add_pending(db, cookie, "token", token)
        sessions.add_pending(db, cookie, "member", member.id if member else new_id())
        sessions.add_pending(db, cookie, "secret", pyotp.random_base32())
    return cookie


def joining(services: Services, cookie: str) -> Joining:
    """Who sets up in the session of that cookie. NotFound when the session or the invitation is over."""
    with services.database.read() as db:
        if sessions.find_session(db, cookie, "invited", services.clock()) is None:
            raise NotFound(GONE)
        token, member_id, secret = (sessions.pending(db, cookie, name) for name in ("token", "member", "secret"))
    offer = look_at(services, token)
    return Joining(offer, member_id, secret, otpauth_of(secret, offer.email))


def join(
    services: Services, cookie: str, name: str, password: str, *, code: str = "", untrusted_answer: str = ""
) -> tuple[str, list[str]]:
    """Become a member: the cookie of a staff session, and the recovery codes, which are shown once.

    The second proof is a one-time code of the app that was just set up, or a device's answer (a passkey). NotAllowed with the
    reason, NotFound when the invitation is over.
    """
    now, who = services.clock(), joining(services, cookie)
    name = check_name(name)
    check_password(password, who.names(name))
    made, step = None, None
    if untrusted_answer:
        with services.database.write() as db:
            challenge = sessions.take_pending(db, cookie, "register")
        made = check_registration(services, challenge, untrusted_answer)
    else:
        step = step_of(who.code_secret, code, now)
        if step is None:
            raise NotAllowed("This code is not right. Wait for the next one in your app, then type that.")
    secret = pyotp.random_base32() if made else who.code_secret  # a secret that nobody has seen makes no codes
    password_hash = services.vault.hash_secret(password, "members.password")
    with services.database.write() as db:
        found = invitations.find_invitation(db, sessions.pending(db, cookie, "token"), now)
        if found is None or invitations.use_invitation(db, found.id, now) is None:
            raise NotFound(GONE)
        person = {"email": found.email, "name": name, "password_hash": password_hash, "code_secret": secret}
        member = members.renew_member(db, who.member_id, now=now, **person)
        passkeys.delete_passkeys(db, member.id)
        if made:
            passkeys.insert_passkey(db, member.id, name="First passkey", now=now, **made)
        elif step is not None:
            members.spend_code_step(db, member.id, step)
        members.add_to_practice(db, member.id, found.practice_id, found.role)
        codes = recovery_codes.replace_codes(db, member.id)
        audit.append(db, found.practice_id, actor=member.id, action="member joined", subject=member.id, at=now, role=found.role)
        sessions.end_session(db, cookie)
        started = start_staff_session(db, member, now, how="invitation")
    if started is None:
        raise NotFound(GONE)
    return started, codes

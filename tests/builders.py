"""Builders that make data: a practice with keys, a member, a request with its link, an agreed patient, a sent request."""

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import date
from functools import cache

import pyotp

from capture.actions.accept_photo import accept_photo
from capture.actions.add_member import add_member
from capture.actions.add_practice import add_practice
from capture.actions.agree import agree
from capture.actions.change_keys import propose_key
from capture.actions.deliver import deliver_next
from capture.actions.invite import invite
from capture.actions.issue_link import Draft, issue_link
from capture.actions.open_link import confirm
from capture.actions.prove_keys import prove_with
from capture.actions.submit import submit
from capture.photos.sample import sample_photo
from capture.sealing.age import seal_with_passphrase
from capture.sealing.keys import Identity, write_identity_file
from capture.services import Services
from capture.store.invitations import list_invitations
from capture.store.models import Bundle, Photo
from capture.store.passkeys import insert_passkey
from capture.store.photos import bundle_of_request, current_photos
from capture.store.unlockers import insert_unlocker

PASSWORD = "correct horse battery"
PASSPHRASE = "one-two-three-four"
VIEWS = ("context", "close-up", "close-up-scale")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class APractice:
    """A practice and the identities that open what is sealed to it; a server never has these."""

    id: str
    ods: str
    name: str
    phone: str
    identity: Identity
    recovery: Identity


@dataclass(frozen=True)
class AMember:
    """A member, with what proves who it is."""

    id: str
    name: str
    email: str
    practice: APractice
    code_secret: str = field(repr=False)
    password: str = PASSWORD


@dataclass(frozen=True)
class ARequest:
    """A request that was sent, with what the practice and the patient know of it."""

    id: str
    link: str
    receipt: str
    practice: APractice
    label: str
    reference: str
    born: date

    @property
    def token(self) -> str:
        return self.link.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The path of the first page."""
        return f"/r/{self.token}"

    @property
    def form(self) -> dict[str, str]:
        """What the patient fills in on the first page."""
        return date_fields(self.born)

    @property
    def wrong(self) -> dict[str, str]:
        """The same with another year."""
        return {**self.form, "year": str(self.born.year - 1)}

    @property
    def private(self) -> tuple[str, ...]:
        """What no title, address or header may hold."""
        return self.label, self.reference, self.born.isoformat(), f"{self.born.day} {self.born.month} {self.born.year}"


def date_fields(born: date) -> dict[str, str]:
    """A date as the three fields of a form."""
    return {"day": str(born.day), "month": str(born.month), "year": str(born.year)}


def make_practice(services: Services, *, with_keys: bool = True, name: str = "Elm Surgery") -> APractice:
    """A practice that can ask for photos, or one that has no key yet."""
    identity, recovery, ods = Identity.generate(), Identity.generate(), f"A8{next(_numbers):04}"
    made = add_practice(
        services,
        ods=ods,
        name=name,
        phone="0191 498 0456",
        staff=identity.recipient if with_keys else None,
        recovery=recovery.recipient if with_keys else None,
        identity_file=_identity_file(services, identity) if with_keys else None,
    )
    if with_keys:
        prove_with(services, made.id, (identity, recovery))
    return APractice(made.id, made.ods, made.name, made.phone, identity, recovery)


def _identity_file(services: Services, identity: Identity) -> bytes:
    text = write_identity_file(identity, services.clock(), services.signing_key.verifying_key)
    return seal_with_passphrase(text.encode(), PASSPHRASE, log_n=4)


def make_member(services: Services, practice: APractice, *, name: str = "Robin Reception", role: str = "manager") -> AMember:
    """A member of staff of that practice."""
    email, secret = f"member{next(_numbers)}@practice.example", pyotp.random_base32()
    made = add_member(services, practice.ods, email=email, name=name, role=role, password=PASSWORD, code_secret=secret)
    return AMember(made.member_id, name, email, practice, secret)


def make_invitation(
    services: Services, practice: APractice, by: AMember, email: str = "new@practice.example", role: str = "reader"
) -> tuple[str, str]:
    """An invitation that waits: its id and its link."""
    link = invite(services, practice.id, email, role, actor=by.id)
    with services.database.read() as db:
        return list_invitations(db, practice.id, services.clock())[-1].id, link


def make_passkey(services: Services, member: AMember) -> str:
    """A passkey of that member, of a device that is not here: its id."""
    with services.database.write() as db:
        credential, now = secrets.token_urlsafe(16), services.clock()
        return insert_passkey(db, member.id, credential=credential, public_key=b"", sign_count=0, name="Laptop", now=now).id


def make_unlocker(services: Services, member: AMember, recipient_id: str) -> str:
    """A passkey of that member that unlocks the practice's key, of a device that is not here: its id."""
    wrapped = seal_with_passphrase(b"stands for what a device would wrap", PASSPHRASE, log_n=4)
    with services.database.write() as db:
        credential, now = "AGE-PLUGIN-FIDO2PRF-1" + "Q" * 80, services.clock()
        return insert_unlocker(db, member.id, recipient_id, credential=credential, file=wrapped, name="Laptop", now=now).id


def make_key_change(services: Services, member: AMember, identity: Identity | None = None, replaces: str | None = None) -> str:
    """A staff key that this member has proposed, made just now or given, not tried yet: the change's id."""
    made = identity or Identity.generate()
    return propose_key(
        services,
        member.practice.id,
        kind="staff",
        recipient=made.recipient,
        identity_file=_identity_file(services, made),
        replaces=replaces,
        actor=member.id,
    )


def make_request(
    services: Services,
    practice: APractice,
    *,
    label: str = "Quillon Xystus",
    reference: str = "AG-77-1234",
    born: date = date(1957, 8, 23),
    protocol: str = "lesion",
    site: str = "back-of-forearm",
    days: int = 7,
) -> ARequest:
    """A request whose link was handed out and not yet opened."""
    draft = Draft(label, born, reference, site, "left", protocol, days, secrets.token_hex(16))
    issued = issue_link(services, practice.id, draft, actor="operator", asked_by="Dr Sam Okafor")
    return ARequest(issued.request_id, issued.link, issued.receipt, practice, label, reference, born)


def confirm_patient(services: Services, asked: ARequest) -> str:
    """The patient has given the date of birth: the cookie of the session."""
    cookie = confirm(services, asked.token, asked.born)
    assert cookie
    return cookie


def agree_patient(services: Services, asked: ARequest) -> str:
    """The patient has confirmed and agreed: the cookie of the session."""
    cookie = confirm_patient(services, asked)
    agree(services, asked.id, "me")
    return cookie


@cache
def photo_bytes(view: str = "close-up") -> bytes:
    """A phone's JPEG for that view, drawn, with a phone's metadata."""
    return sample_photo(view, size=(800, 600))


def take_photo(services: Services, asked: ARequest, view: str = "close-up") -> str:
    """One photo has arrived: its id."""
    photo_id = secrets.token_hex(16)
    accept_photo(services, asked.id, view, photo_id, photo_bytes(view))
    return photo_id


def make_submitted(
    services: Services, asked: ARequest, *, views: tuple[str, ...] = ("close-up",), delivered: bool = True
) -> Bundle:
    """The patient has taken photos and sent them, and the worker has delivered them."""
    agree_patient(services, asked)
    for view in views:
        take_photo(services, asked, view)
    submit(services, asked.id, "It itches at night.")
    if delivered:
        assert deliver_next(services)
    return bundle_of(services, asked)


def bundle_of(services: Services, asked: ARequest) -> Bundle:
    """The bundle that a request became."""
    with services.database.read() as db:
        bundle = bundle_of_request(db, asked.id)
    assert bundle
    return bundle


def photos_of(services: Services, asked: ARequest) -> list[Photo]:
    """The photos that would be sent now."""
    with services.database.read() as db:
        return current_photos(db, asked.id)

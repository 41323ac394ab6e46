"""Ask a patient for photos: a request and its one-time link."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from capture.actions.send_link import queue_link
from capture.domain.links import new_receipt, new_token, read_receipt, token_hash
from capture.domain.policies import age_group, check_can_ask, check_can_follow, check_switched_on
from capture.domain.requests import State
from capture.errors import Conflict, NotAllowed
from capture.services import Services
from capture.store import audit, recipients, requests
from capture.store.models import Practice, Request, new_id
from capture.store.requests import Details


@dataclass(frozen=True)
class Draft:
    """What a member fills in. `key` is the form's own id: the same key never issues a second link.

    A follow-up names in `follows` the receipt of the request that it repeats; protocol, site and side are that one's.
    `message` is for the patient, who sees it once the date of birth was given. `phone` (international) and `email` are where the
    link goes; neither is kept once it is there. `call` is the hash of the whole call where a system asks (ask_for_system).
    """

    label: str
    date_of_birth: date
    reference: str
    site: str
    side: str
    protocol: str
    days: int
    key: str
    follows: str = ""
    message: str = ""
    nhs_number: str = ""
    phone: str = ""
    email: str = ""
    call: str = ""


@dataclass(frozen=True)
class Issued:
    """A request that was sent. The link is known now and never again."""

    request_id: str
    receipt: str
    link: str
    expires_at: datetime


def issue_link(
    services: Services, practice_id: str, draft: Draft, *, actor: str, member_id: str | None = None, asked_by: str = ""
) -> Issued:
    """Issue a request and its link.

    Raises NotAllowed when a policy forbids asking, Unavailable when the practice has no valid key, Conflict when this form
    has issued its link already.
    """
    with services.database.read() as db:
        practice = db.get_one(Practice, practice_id)
    check_switched_on(draft.protocol, practice.protocols_off.split())
    draft, case_id = _take_over(services, practice_id, draft)
    born, today = draft.date_of_birth, services.clock().date()
    allowed = practice.intimate_allowed
    check_can_ask(services.catalogue, draft.protocol, draft.site, draft.side, born, today, intimate_allowed=allowed)
    request = Request(id=new_id(), practice_id=practice_id, issued_by=member_id, issue_key=draft.key, case_id=case_id)
    request.dob_hash = services.vault.hash_secret(born.isoformat(), request.case)
    details = _details(draft, asked_by, age_group(born, today))
    with services.database.write() as db:
        issued = write_request(services, db, request, details, days=draft.days, actor=actor)
        queue_link(services, db, request, issued.link, to_phone=draft.phone, to_email=draft.email)
        return issued


def write_request(services: Services, db: Session, request: Request, details: Details, *, days: int, actor: str) -> Issued:
    """Give a new request its receipt and its link, and send it. Raises Unavailable and Conflict as `issue_link`."""
    now, token = services.clock(), new_token()
    recipients.current_recipients(db, request.practice_id)  # a practice without a valid key cannot ask
    if requests.find_by_issue_key(db, request.practice_id, request.issue_key):
        raise Conflict("This request was issued already. Its link was shown once and cannot be shown again.")
    request.state, request.receipt, request.token_hash = State.DRAFTED, new_receipt(), token_hash(token)
    request.issued_at = request.changed_at = now
    request.expires_at = now + timedelta(days=days)
    requests.insert_request(db, request, details)
    audit.append(db, request.practice_id, actor=actor, action="request drafted", subject=request.id, at=now)
    requests.move(db, request, State.SENT, actor=actor, now=now, days=days)
    return Issued(request.id, request.receipt, link_to(services, token), request.expires_at)


def link_to(services: Services, token: str) -> str:
    """The link with that token."""
    return f"{services.settings.link_origin}/r/{token}"


def _details(draft: Draft, asked_by: str, group: str) -> Details:
    return Details(
        label=draft.label,
        reference=draft.reference,
        site=draft.site,
        side=draft.side,
        protocol=draft.protocol,
        asked_by=asked_by,
        age_group=group,
        follows=draft.follows,
        message=draft.message,
        nhs_number=draft.nhs_number,
        call=draft.call,
    )


def _take_over(services: Services, practice_id: str, draft: Draft) -> tuple[Draft, str | None]:
    """For a follow-up, what was asked the last time, and the case that it joins.

    A request keeps what it asked for, so a follow-up of one needs no more; nor does a case end where its list was switched off.
    """
    protocol = services.catalogue.protocols.get(draft.protocol)
    if protocol is None or not protocol.follows:
        if draft.follows:
            raise NotAllowed("The receipt of an earlier request goes with a follow-up only.")
        return draft, None
    receipt = read_receipt(draft.follows)
    with services.database.read() as db:
        earlier = requests.find_by_receipt(db, practice_id, receipt)
        if earlier is None:
            raise NotAllowed("Your practice has no request with this receipt. Check it and try again.")
        last = requests.details_of(db, earlier)
    same_patient = services.vault.check_secret(earlier.dob_hash, draft.date_of_birth.isoformat(), earlier.case)
    check_can_follow(State(earlier.state), same_patient=same_patient)
    return replace(draft, protocol=last.protocol, site=last.site, side=last.side, follows=receipt), earlier.case

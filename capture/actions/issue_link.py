"""Ask a patient for photos: a request and its one-time link."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from capture.domain.links import new_receipt, new_token, token_hash
from capture.domain.policies import age_group, check_can_ask
from capture.domain.requests import State
from capture.errors import Conflict
from capture.services import Services
from capture.store import audit, practices, requests
from capture.store.models import Practice, Request, new_id
from capture.store.requests import Details


@dataclass(frozen=True)
class Draft:
    """What a member fills in. `key` is the form's own id: the same key never issues a second link."""

    label: str
    date_of_birth: date
    reference: str
    site: str
    side: str
    protocol: str
    days: int
    key: str


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
    now = services.clock()
    born, today = draft.date_of_birth, now.date()
    with services.database.read() as db:
        intimate_allowed = db.get_one(Practice, practice_id).intimate_allowed
    check_can_ask(services.catalogue, draft.protocol, draft.site, draft.side, born, today, intimate_allowed=intimate_allowed)
    token, request_id = new_token(), new_id()
    dob_hash = services.vault.hash_secret(born.isoformat(), request_id)
    request = Request(
        id=request_id,
        practice_id=practice_id,
        issued_by=member_id,
        issue_key=draft.key,
        state=State.DRAFTED,
        receipt=new_receipt(),
        token_hash=token_hash(token),
        dob_hash=dob_hash,
        issued_at=now,
        changed_at=now,
        expires_at=now + timedelta(days=draft.days),
    )
    details = Details(draft.label, draft.reference, draft.site, draft.side, draft.protocol, asked_by, age_group(born, today))
    with services.database.write() as db:
        practices.current_recipients(db, practice_id)  # a practice without a valid key cannot ask
        if requests.find_by_issue_key(db, practice_id, draft.key):
            raise Conflict("This request was issued already. Its link was shown once and cannot be shown again.")
        requests.insert_request(db, request, details)
        audit.append(db, practice_id, actor=actor, action="request drafted", subject=request_id, at=now)
        requests.move(db, request, State.SENT, actor=actor, now=now, days=draft.days)
    return Issued(request_id, request.receipt, f"{services.settings.link_origin}/r/{token}", request.expires_at)

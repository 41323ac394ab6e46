"""Another system asks a patient for photos: once for each key of its own, whatever gets lost on the way."""

import hashlib
from dataclasses import replace

from capture.actions.issue_link import Draft, issue_link
from capture.domain.links import read_receipt
from capture.errors import Conflict
from capture.services import Services
from capture.store import requests
from capture.store.models import Request
from capture.store.tokens import Token

_SAME = ("label", "reference", "message", "nhs_number")
_SAME_PHOTOS = ("protocol", "site", "side")


def ask_for_system(services: Services, token: Token, draft: Draft, *, asked_by: str) -> tuple[Request, str]:
    """The request and its link; the link is empty where this token issued it before under this `draft.key`: it was shown then.

    Conflict: the key was used for another request. Other errors as of issue_link.
    """
    draft = replace(draft, key=hashlib.sha256(f"{token.id}/{draft.key}".encode()).hexdigest())
    if found := _find_issued(services, token.practice_id, draft):
        return found, ""
    try:
        issued = issue_link(services, token.practice_id, draft, actor=token.actor, asked_by=asked_by)
    except Conflict:
        if found := _find_issued(services, token.practice_id, draft):  # by the same call, sent twice at the same moment
            return found, ""
        raise
    with services.database.read() as db:
        return requests.find_request(db, token.practice_id, issued.request_id), issued.link


def _find_issued(services: Services, practice_id: str, draft: Draft) -> Request | None:
    with services.database.read() as db:
        found = requests.find_by_issue_key(db, practice_id, draft.key)
        if found is None:
            return None
        details = requests.details_of(db, found)
    names = _SAME if draft.follows else _SAME + _SAME_PHOTOS
    same = all(getattr(details, name) == getattr(draft, name) for name in names) and details.follows == read_receipt(draft.follows)
    if not same or not services.vault.check_secret(found.dob_hash, draft.date_of_birth.isoformat(), found.case):
        raise Conflict("This Idempotency-Key was used for another request. Use a new one for each.", code="key-used")
    return found

"""Another system asks a patient for photos: once for each key of its own, whatever gets lost on the way."""

import hashlib
import json
from dataclasses import asdict, replace

from capture.actions.issue_link import Draft, issue_link
from capture.domain.links import read_receipt
from capture.errors import Conflict
from capture.services import Services
from capture.store import requests
from capture.store.models import Request
from capture.store.tokens import Token


def ask_for_system(services: Services, token: Token, draft: Draft, *, asked_by: str) -> tuple[Request, str]:
    """The request and its link; the link is empty where this token issued it before under this `draft.key`: it was shown then.

    Conflict: the key was used for another request. Other errors as of issue_link.
    """
    draft = replace(draft, key=hashlib.sha256(f"{token.id}/{draft.key}".encode()).hexdigest())
    said = json.dumps({**asdict(draft), "follows": read_receipt(draft.follows), "asked_by": asked_by}, default=str)
    if found := _find_issued(services, token.practice_id, draft.key, said):
        return found, ""
    draft = replace(draft, call=services.vault.hash_secret(said, draft.key))  # not a quick hash: it is of the number too
    try:
        issued = issue_link(services, token.practice_id, draft, actor=token.actor, asked_by=asked_by)
    except Conflict:
        if found := _find_issued(services, token.practice_id, draft.key, said):  # by the same call, sent twice at the same moment
            return found, ""
        raise
    with services.database.read() as db:
        return requests.find_request(db, token.practice_id, issued.request_id), issued.link


def _find_issued(services: Services, practice_id: str, key: str, said: str) -> Request | None:
    """The request that this key was used for; Conflict where that call said anything else."""
    with services.database.read() as db:
        found = requests.find_by_issue_key(db, practice_id, key)
        if found is None:
            return None
        call = requests.details_of(db, found).call
    if not services.vault.check_secret(call, said, key):
        raise Conflict("This Idempotency-Key was used for another request. Use a new one for each.", code="key-used")
    return found

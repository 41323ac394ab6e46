"""The patient agrees to what will happen to the photos, and says who takes them."""

import secrets

from capture.domain.requests import State, check_can_continue
from capture.services import Services
from capture.store import audit, requests
from capture.store.requests import Answers

CONSENT_VERSION = "2026-11"
STATEMENTS = {
    "use": "The photos are for my GP, and for the hospital skin doctor my GP asks for advice.",
    "seen": "Staff of any gender at the practice and the hospital may see them.",
    "kept": "The practice may keep them in the medical record.",
}
"""What is agreed to, by name; the texts are sealed with the answers, so that a later change of words loses nothing."""
HELPERS = {"me": "the patient", "helper": "someone who helps the patient"}


def agree(services: Services, request_id: str, helper: str) -> None:
    """Keep the agreement. Raises Conflict or LinkExpired when the request is closed."""
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        check_can_continue(State(request.state), now, request.expires_at)
        keep_key = requests.answers_of(db, request).keep_key or secrets.token_urlsafe(32)
        answers = Answers(now.isoformat(), tuple(STATEMENTS.values()), HELPERS[helper], keep_key)
        requests.keep_answers(db, request, answers)
        audit.append(db, request.practice_id, actor="patient", action="request agreed", subject=request.id, at=now)

"""The patient says of one photo that it cannot be taken, and why."""

from dataclasses import replace

from capture.domain.protocols import wanted
from capture.domain.requests import State, check_can_continue
from capture.errors import NotAllowed, NotFound
from capture.services import Services
from capture.store import audit, photos, requests

REASONS = {
    "reach": "I cannot reach it",
    "hurts": "It hurts",
    "covered": "It is covered by a dressing",
    "phone": "My phone cannot take this photo",
    "rather-not": "I would rather not",
}
WORDS_LIMIT = 200


def skip(services: Services, request_id: str, view: str, reason: str, words: str) -> None:
    """Keep the reason, and the patient's own `words` if there are any; taking the photo later undoes it.

    Raises NotFound (not one of the photos asked for), NotAllowed before the agreement, Conflict or LinkExpired when it is closed.
    """
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        check_can_continue(State(request.state), now, request.expires_at)
        details, answers = requests.details_of(db, request), requests.answers_of(db, request)
        if not answers.agreed_at:
            raise NotAllowed("Agree to how the photos are used first.")
        arrived = {photo.view for photo in photos.current_photos(db, request_id)}
        if view not in {asked.id for asked in wanted(services.catalogue.views_of(details.protocol, request.views), arrived)}:
            raise NotFound
        told = f"{REASONS[reason]}: {words}" if words else REASONS[reason]
        requests.keep_answers(db, request, replace(answers, skipped={**answers.skipped, view: told}))
        audit.append(db, request.practice_id, actor="patient", action="photo skipped", subject=request.id, at=now, view=view)

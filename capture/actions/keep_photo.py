"""The patient uses a photo in spite of its hints: noted with the photo, and so it travels sealed to the practice."""

from capture.domain.requests import State, check_can_continue
from capture.errors import NotFound
from capture.services import Services
from capture.store import audit, photos, requests


def keep_photo(services: Services, request_id: str, view: str, photo_id: str) -> None:
    """Note the choice, once; a photo that has no hint, or that another has replaced, is left as it is.

    Raises NotFound (no such photo of this view), Conflict, LinkExpired.
    """
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        check_can_continue(State(request.state), now, request.expires_at)
        photo = photos.find_photo(db, photo_id)
        if photo is None or (photo.request_id, photo.view) != (request_id, view):
            raise NotFound
        facts = photos.facts_of(db, photo)
        if photo.replaced or facts["sent_anyway"] or not facts["hints"]:
            return
        photos.set_facts(db, photo, {**facts, "sent_anyway": True})
        audit.append(db, request.practice_id, actor="patient", action="photo kept", subject=request_id, at=now, view=view)

"""A member has attached the photos to the referral."""

from capture.domain.requests import State
from capture.errors import Conflict
from capture.services import Services
from capture.store import photos, requests


def attach(services: Services, practice_id: str, bundle_id: str, *, actor: str) -> str:
    """Note it; gives the request's id. Again it changes nothing.

    Raises NotFound, PhotosDeleted, or Conflict before the photos were opened.
    """
    with services.database.write() as db:
        bundle = photos.find_bundle(db, practice_id, bundle_id)
        request = requests.lock_request(db, bundle.request_id)
        db.refresh(bundle)
        photos.check_kept(bundle)  # it may have been deleted while this waited
        if request.state in {State.SUBMITTED, State.DELIVERED}:
            raise Conflict("Nobody has opened these photos yet. Open them, attach them to the referral, then say so.")
        if request.state != State.ATTACHED:
            requests.move(db, request, State.ATTACHED, actor=actor, now=services.clock())
        return request.id

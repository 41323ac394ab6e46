"""A member has opened a bundle."""

from capture.domain.requests import State
from capture.services import Services
from capture.store import audit, photos, requests


def collect(services: Services, practice_id: str, bundle_id: str, *, actor: str) -> None:
    """Note that a bundle was opened and whole; the first time moves the request. Raises NotFound, PhotosDeleted."""
    now = services.clock()
    with services.database.write() as db:
        bundle = photos.find_bundle(db, practice_id, bundle_id)
        request = requests.lock_request(db, bundle.request_id)
        db.refresh(bundle)
        photos.check_kept(bundle)  # it may have been deleted while this waited
        if request.state == State.DELIVERED:  # of what is attached already it says nothing new
            bundle.collected_at = now
            requests.move(db, request, State.COLLECTED, actor=actor, now=now)
        else:
            audit.append(db, practice_id, actor=actor, action="bundle opened", subject=request.id, at=now)

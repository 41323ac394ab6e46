"""Take a request back."""

from capture.actions.purge import remove_blobs
from capture.domain.requests import State
from capture.services import Services
from capture.store import deletions, photos, requests, sessions


def cancel(services: Services, practice_id: str, request_id: str, *, actor: str) -> None:
    """Cancel a request that has not been sent yet: its link, sessions and photos die at once. Raises NotFound or Conflict."""
    with services.database.write() as db:
        requests.find_request(db, practice_id, request_id)
        request = requests.lock_request(db, request_id)
        requests.move(db, request, State.CANCELLED, actor=actor, now=services.clock())
        sessions.end_sessions_of_request(db, request_id)
        unsent = photos.current_photos(db, request_id)
        for photo in unsent:
            db.delete(photo)
        blobs = [photo.blob for photo in unsent]
        deletions.list_blobs(db, blobs)
    services.arriving.end_request(request_id)
    remove_blobs(services, blobs)

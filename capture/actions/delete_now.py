"""Delete a request before its time, because a person says so: also photos that nobody opened, or that never arrived."""

import logging
from dataclasses import dataclass

from sqlalchemy.orm import Session

from capture.actions.purge import remove_blobs
from capture.domain.requests import State, check_can_move
from capture.errors import Unavailable
from capture.services import Services
from capture.store import deletions, deliveries, photos, requests
from capture.store.models import Request
from capture.store.photos import UNREAD

logger = logging.getLogger("capture.actions")


@dataclass(frozen=True)
class Losing:
    """What whoever deletes a request must know: whether nobody has opened its photos, and whether an inbox still waits for them."""

    unopened: bool
    undelivered: bool


def what_is_lost(db: Session, request: Request) -> Losing:
    """Look. Conflict where there is nothing to delete: before a request has ended, and once it was deleted."""
    state = State(request.state)
    check_can_move(state, State.PURGED)
    bundle = photos.bundle_of_request(db, request.id)
    return Losing(state in UNREAD, bundle is not None and not deliveries.all_delivered(db, bundle.id))


def delete_now(services: Services, practice_id: str, request_id: str, *, actor: str) -> None:
    """Delete what the patient sent, and what was asked, at once and for good. Raises NotFound or Conflict."""
    now = services.clock()
    with services.database.write() as db:
        requests.find_request(db, practice_id, request_id)
        request = requests.lock_request(db, request_id)
        deliveries.hold(db, request_id)
        losing = what_is_lost(db, request)
        facts = {"opened": "no" if losing.unopened else "yes", "arrived": "no" if losing.undelivered else "yes"}
        requests.move(db, request, State.PURGED, actor=actor, now=now, action="request deleted", **facts)
        blobs = deletions.erase(db, request)
        deliveries.wake_lines(db, now)  # what waited behind these photos
    try:
        remove_blobs(services, blobs)
        services.database.forget_deleted()
    except Unavailable as error:  # it is deleted by now, and the worker's sweeps do the rest
        logger.warning("a deletion is not over: %s: %s", error.code, error.hint or "no hint")

"""Another system has fetched a bundle, opened it and keeps it."""

from capture.actions.collect import collect
from capture.domain.requests import State
from capture.errors import Conflict
from capture.services import Services
from capture.store import photos, requests


def acknowledge(services: Services, practice_id: str, bundle_id: str, *, actor: str) -> None:
    """Note that a bundle was collected; again changes nothing. NotFound; Conflict while it is on its way still."""
    with services.database.read() as db:
        state = requests.find_request(db, practice_id, photos.find_bundle(db, practice_id, bundle_id).request_id).state
    if state == State.SUBMITTED:
        raise Conflict("This bundle is still on its way. Wait until it is listed as waiting.", code="not-delivered")
    if state == State.DELIVERED:
        collect(services, practice_id, bundle_id, actor=actor)

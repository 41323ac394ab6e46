"""A member has not attached the photos to the referral after all."""

from capture.domain.requests import State
from capture.errors import Conflict
from capture.services import Services
from capture.store import requests


def detach(services: Services, practice_id: str, request_id: str, *, actor: str) -> None:
    """Take it back that the photos are with the referral; again it changes nothing. NotFound; Conflict if nobody has said so."""
    with services.database.write() as db:
        requests.find_request(db, practice_id, request_id)
        request = requests.lock_request(db, request_id)
        if request.state == State.COLLECTED:
            return
        if request.state != State.ATTACHED:
            raise Conflict("Nobody has said that these photos are with the referral.")
        requests.move(db, request, State.COLLECTED, actor=actor, now=services.clock(), action="request detached")

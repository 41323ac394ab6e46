"""Go on with another phone: a link, shown as a QR code, that works once and for 15 minutes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from capture.domain.links import new_token, token_hash
from capture.domain.requests import State, check_can_continue
from capture.errors import Conflict, LinkClosed
from capture.services import Services
from capture.store import audit, requests, sessions
from capture.store.models import Practice, Request

LASTS = timedelta(minutes=15)


@dataclass(frozen=True)
class Offer:
    """A link to another phone. It is known now and never again."""

    link: str
    until: datetime


def offer(services: Services, request_id: str) -> Offer:
    """Make a link for another phone; the one before stops working. Raises Conflict or LinkExpired when the request is closed."""
    now, token = services.clock(), new_token()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        check_can_continue(State(request.state), now, request.expires_at)
        if now >= request.expires_at:  # whoever is in may finish, and nobody new comes in (SECURITY 13)
            raise Conflict("It is too late to go on with another phone. Finish on this one.")
        until = min(now + LASTS, request.expires_at)
        request.hand_over_hash, request.hand_over_until = token_hash(token), until
        audit.append(db, request.practice_id, actor="patient", action="another phone asked", subject=request.id, at=now)
    return Offer(f"{services.settings.link_origin}/h/{token}", until)


def find_offer(services: Services, token: str) -> Practice:
    """The practice behind a link that works now. Changes nothing. Raises LinkClosed: unknown, used and over are told alike."""
    with services.database.read() as db:
        request = requests.find_by_hand_over(db, token_hash(token))
        if request is None or not _works(request, services.clock()):
            raise LinkClosed
        return db.get_one(Practice, request.practice_id)


def take_over(services: Services, token: str) -> str:
    """Use the link up: the cookie of another phone's session of the same request. Raises LinkClosed."""
    now = services.clock()
    with services.database.write() as db:
        found = requests.find_by_hand_over(db, token_hash(token))
        request = requests.lock_request(db, found.id) if found else None
        if request is None or request.hand_over_hash != token_hash(token) or not _works(request, now):
            raise LinkClosed  # the second of these: another phone was quicker
        request.hand_over_hash = request.hand_over_until = None
        requests.keep_answers(db, request, replace(requests.answers_of(db, request), handed_over=True))
        audit.append(db, request.practice_id, actor="patient", action="another phone joined", subject=request.id, at=now)
        return sessions.start_session(db, "patient", now=now, request_id=request.id, practice_id=request.practice_id)


def _works(request: Request, now: datetime) -> bool:
    return request.state == State.CONFIRMED and request.hand_over_until is not None and now < request.hand_over_until

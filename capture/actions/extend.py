"""Give a link more time, also one whose time is over."""

from datetime import timedelta

from capture.domain.again import check_can_extend
from capture.domain.requests import State
from capture.services import Services
from capture.store import audit, requests, sessions


def extend(services: Services, practice_id: str, request_id: str, days: int, *, actor: str) -> None:
    """Let the link that the patient has work for `days` from now. Raises NotFound or Conflict.

    An expired request is sent again: the same link works, and asks for the date of birth anew; photos that had arrived are kept.
    """
    now = services.clock()
    with services.database.write() as db:
        requests.find_request(db, practice_id, request_id)
        request = requests.lock_request(db, request_id)
        until = now + timedelta(days=days)
        check_can_extend(State(request.state), now, request.expires_at, until)
        request.expires_at = until
        if request.state == State.EXPIRED:
            sessions.end_sessions_of_request(db, request_id)
            requests.move(db, request, State.SENT, actor=actor, now=now, days=days)
        audit.append(db, practice_id, actor=actor, action="link extended", subject=request_id, at=now, days=days)

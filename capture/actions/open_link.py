"""Come in through a link: the date of birth is given and checked."""

from datetime import date, datetime
from math import ceil

from capture.domain.links import GUESSES_IN_ALL, token_hash
from capture.domain.requests import State, check_can_confirm
from capture.errors import GuessingLimited, LinkClosed
from capture.services import Services
from capture.store import requests, sessions
from capture.store.models import Practice, Request


def find_link(services: Services, token: str) -> tuple[Request, Practice]:
    """The request behind a link that can be opened now. Changes nothing. Raises LinkClosed or LinkExpired."""
    with services.database.read() as db:
        request = requests.find_by_token(db, token_hash(token))
        if request is None or request.guesses >= GUESSES_IN_ALL:
            raise LinkClosed
        practice = db.get_one(Practice, request.practice_id)
    check_can_confirm(State(request.state), services.clock(), request.expires_at)
    return request, practice


def practice_of(services: Services, token: str) -> Practice | None:
    """The practice that asked, for its phone number on the page that says the link has expired."""
    with services.database.read() as db:
        request = requests.find_by_token(db, token_hash(token))
        return db.get(Practice, request.practice_id) if request else None


def confirm(services: Services, token: str, born: date) -> str | None:
    """Check the date of birth: the cookie of a new patient session, or None when it is wrong.

    The guess is counted before it is looked at. Raises GuessingLimited while the link waits; LinkClosed once it is used up.
    """
    now = services.clock()
    request, _ = find_link(services, token)
    with services.database.write() as db:
        if not requests.reserve_guess(db, request.id, now):
            raise GuessingLimited(_seconds_to_wait(requests.lock_request(db, request.id), now))
    right = services.vault.check_secret(request.dob_hash, born.isoformat(), request.case)
    with services.database.write() as db:
        request = requests.lock_request(db, request.id)
        if request.token_hash != token_hash(token):  # staff have sent a new link in the meantime
            raise LinkClosed
        state = State(request.state)
        check_can_confirm(state, now, request.expires_at)
        if not right:
            if request.guesses >= GUESSES_IN_ALL:
                requests.lock_link(db, request, now)
            elif state is State.SENT:
                requests.move(db, request, State.OPENED, actor="patient", now=now)
            return None
        requests.forgive_guess(request)
        if state is not State.CONFIRMED:
            requests.move(db, request, State.CONFIRMED, actor="patient", now=now)
        return sessions.start_session(db, "patient", now=now, request_id=request.id, practice_id=request.practice_id)


def minutes_to_wait(services: Services, token: str) -> int:
    """How long this link still waits after wrong dates, in minutes rounded up; 0 when it does not."""
    with services.database.read() as db:
        request = requests.find_by_token(db, token_hash(token))
        return -(-_seconds_to_wait(request, services.clock()) // 60) if request else 0


def _seconds_to_wait(request: Request, now: datetime) -> int:
    return max(0, ceil((request.wait_until - now).total_seconds())) if request.wait_until else 0

"""Note that the time of a link is over, for good: a clock that is set back later brings none to life again."""

from capture.domain.requests import FINISH_AFTER_EXPIRY, State
from capture.services import Services
from capture.store import requests


def expire_due(services: Services) -> int:
    """Move requests whose patients can no longer finish to expired; gives how many it moved, at most 100 at a time.

    Links to another phone go too, and a link whose last guess was counted by a process that died is locked.
    """
    now = services.clock()
    with services.database.write() as db:
        requests.forget_hand_overs(db, now)
        for request in requests.list_guessed_out(db, now, limit=100):
            requests.lock_link(db, request, now)
        due = requests.list_expired(db, now - FINISH_AFTER_EXPIRY, limit=100)
        for request in due:
            requests.move(db, request, State.EXPIRED, actor="worker", now=now)
    return len(due)

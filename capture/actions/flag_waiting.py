"""Tell a practice of photos that it has not opened for too long, and of links that were locked: once each."""

from datetime import datetime, timedelta

from capture.actions.queue_notice import queue_notice
from capture.domain.hours import open_hours_between, parse_hours
from capture.domain.requests import State
from capture.services import Services
from capture.store import audit, listings
from capture.store.models import Practice

AT_ONCE = 100
"""Requests of a practice that one transaction flags at most; the others are flagged the next time."""


def flag_waiting(services: Services) -> int:
    """Flag what has waited for the practice's `wait_hours`, counted while it was open, and every locked link; gives how many."""
    with services.database.read() as db:
        practice_ids = listings.practices_with_unflagged(db)
    return sum(_flag(services, practice_id, services.clock()) for practice_id in practice_ids)


def _flag(services: Services, practice_id: str, now: datetime) -> int:
    told = dict.fromkeys(("waiting", "locked"), 0)
    with services.database.write() as db:
        practice = db.get_one(Practice, practice_id)
        hours, patience = parse_hours(practice.opening_hours), timedelta(hours=practice.wait_hours)
        for request in listings.list_unflagged(db, practice_id, now - patience, AT_ONCE):
            locked = request.state == State.LOCKED
            if not locked and open_hours_between(hours, request.submitted_at or now, now) < patience:
                break  # the oldest comes first, so none of the others has waited for as long
            request.flagged_at = now
            action = "lock told" if locked else "request flagged"
            audit.append(db, practice_id, actor="worker", action=action, subject=request.id, at=now)
            told["locked" if locked else "waiting"] += 1
        for kind in (kind for kind, number in told.items() if number):
            queue_notice(services, db, practice, kind)
    return sum(told.values())

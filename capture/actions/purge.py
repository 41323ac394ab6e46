"""Delete what a patient sent once its time is over: from the database, then from the blob store."""

import logging
from collections.abc import Iterable
from time import monotonic

from capture.domain.requests import State
from capture.domain.retention import is_confirmed, purge_due
from capture.domain.scrubbing import BEGIN
from capture.errors import CaptureError
from capture.services import Services
from capture.store import deletions, deliveries, photos, requests, scrubbing
from capture.store.models import Practice

logger = logging.getLogger("capture.worker")
MOST = 100
"""How many requests are noted, and how many deleted, in one sweep; and how many sealed parts are removed in one transaction."""
PATIENCE = 5.0
"""Seconds after which no further sealed part is removed at once: a bucket that stalls takes as long as its timeouts for each."""


def purge(services: Services) -> int:
    """Note what is due, delete what was noted a day ago and still is, remove what is listed for removal; how many it deleted.

    Killed at any instant, nothing is lost and nothing is kept: a request is deleted in one transaction, which lists its sealed
    parts, and a part stays on the list until it is gone.
    """
    now = services.clock()
    with services.database.write() as db:
        deletions.note_due(db, now, MOST)
        noted = deletions.list_noted(db, now, MOST)
    purged = sum(_try_purge(services, request_id) for request_id in noted)
    _remove_listed(services)
    return purged


def _try_purge(services: Services, request_id: str) -> bool:
    """Delete one; what goes wrong with it holds up neither the others nor what is listed for removal."""
    try:
        return _purge_request(services, request_id)
    except CaptureError as error:
        logger.error("a request stays for now: %s: %s", error.code, error.hint or "no hint")
        return False


def _purge_request(services: Services, request_id: str) -> bool:
    """Look once more, with the request held, then delete; a note that counts no longer is forgotten."""
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        deliveries.hold(db, request_id)
        practice, state, noted_at = db.get_one(Practice, request.practice_id), State(request.state), request.due_noted_at
        due = purge_due(state, request.changed_at, practice.keep_attached_days, practice.keep_collected_days)
        bundle = photos.bundle_of_request(db, request_id)
        arrived = bundle is None or deliveries.all_delivered(db, bundle.id)
        if noted_at is None or not (arrived and is_confirmed(due, noted_at, now)):
            request.due_noted_at = None
            return False
        requests.move(db, request, State.PURGED, actor="worker", now=now)
        deletions.erase(db, request)
    return True


def _remove_listed(services: Services) -> None:
    """Go on in the list where the last sweep had no more time, so that a part which cannot be removed holds up nothing for ever."""
    with services.database.read() as db:
        found = scrubbing.find_round(db, "removals")
    before = last = found.position if found else BEGIN
    end = monotonic() + PATIENCE
    while True:
        with services.database.read() as db:
            names = deletions.next_blobs(db, last, MOST)
        if not names:
            last = BEGIN
            break
        last = remove_blobs(services, names, end)
        if monotonic() >= end:
            break
    if last != before:
        with services.database.write() as db:
            if not found:
                scrubbing.begin_round(db, "removals", services.clock())
            scrubbing.advance(db, "removals", before, last)


def remove_blobs(services: Services, names: Iterable[str], end: float | None = None) -> str:
    """Remove sealed parts that are listed for removal, for as long as there is time; the last one that was tried.

    One that cannot be removed, and those that there was no time for, are left to the worker's sweeps.
    """
    end = monotonic() + PATIENCE if end is None else end
    removed, last = [], ""
    for last in names:
        if _remove(services, last):
            removed.append(last)
        if monotonic() >= end:
            break
    with services.database.write() as db:
        deletions.forget_blobs(db, removed)
    return last


def _remove(services: Services, name: str) -> bool:
    try:
        services.blobs.delete(name)
    except CaptureError as error:
        logger.error("a sealed part stays for now: %s: %s", error.code, error.hint or "no hint")
        return False
    return True

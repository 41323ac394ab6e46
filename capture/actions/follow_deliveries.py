"""Follow what way stations have: ask whether the practice took it, read the notices of what came back, greet each station daily."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic

from capture.actions.deliver import note_arrival
from capture.actions.queue_notice import queue_notice
from capture.errors import CaptureError, Undeliverable
from capture.inbox.base import CAME_BACK, Tracks
from capture.services import Services
from capture.store import audit, requests, under_way
from capture.store.deliveries import SOONEST
from capture.store.models import Practice
from capture.store.under_way import UnderWay

logger = logging.getLogger("capture.worker")
GREET_EVERY, NOTICES_EVERY, AGAIN = 20 * 3600.0, 300.0, 600.0
"""Seconds between two greetings, between two looks for notices, and before what failed is done again."""
LATEST, OLD_FILE = timedelta(hours=1), timedelta(days=2)
GONE = "no-inbox"


class Follower:
    """What one worker does about bundles under way, step by step. `tick` gives seconds."""

    def __init__(self, services: Services, tick: Callable[[], float] = monotonic) -> None:
        self._services, self._tick = services, tick
        stations = {name: place.inbox for name, place in services.inboxes.items() if isinstance(place.inbox, Tracks)}
        self._stations = stations
        greet = [(name, GREET_EVERY, station.check) for name, station in stations.items()]
        look = [(name, NOTICES_EVERY, partial(_read_notices, services, name, station)) for name, station in stations.items()]
        self._chores: list[tuple[str, float, Callable[[], object]]] = [*greet, *look]
        self._due_at = [tick()] * len(self._chores)

    def step(self) -> bool:
        """Do what is due at the stations, and ask for one bundle; False when none was to be asked for."""
        for index, (name, every, chore) in enumerate(self._chores):
            if self._tick() >= self._due_at[index]:
                self._due_at[index] = self._tick() + AGAIN  # until it is done, whatever goes wrong
                try:
                    chore()
                except CaptureError as error:
                    logger.error("inbox %s: %s (%s)", name, error.code, error.hint or "no hint")
                else:
                    self._due_at[index] = self._tick() + every
        return self._ask()

    def _ask(self) -> bool:
        services, now = self._services, self._services.clock()
        with services.database.write() as db:
            found = under_way.take_due(db, now)
        if found is None:
            return False
        age, station = now - found.handed_at, self._stations.get(found.inbox)
        try:
            if station is None and age > OLD_FILE:  # until then this may be the worker that has an old file of inboxes
                raise Undeliverable(code=GONE)
            taken = station is not None and station.is_taken(found.reference)
        except Undeliverable as error:
            _came_back(services, found, error.code)
        except CaptureError as error:
            logger.warning(
                "inbox %s does not say what became of a bundle: %s (%s)", found.inbox, error.code, error.hint or "no hint"
            )
        else:
            if taken:
                _arrived(services, found)
            else:
                with services.database.write() as db:
                    under_way.look_again(db, found, now + wait_after(age))
        return True


def wait_after(age: timedelta) -> timedelta:
    """How long until one is asked for again that has been under way so long: an eighth of that, within limits."""
    return min(max(age / 8, SOONEST), LATEST)


def _read_notices(services: Services, name: str, station: Tracks) -> None:
    """Note what came back before the notice of it is let go."""
    for notice, reference in station.returned():
        with services.database.read() as db:
            found = under_way.find(db, name, reference, services.clock())
        if found:
            _came_back(services, found, CAME_BACK)
        station.forget(notice)


def _arrived(services: Services, found: UnderWay) -> None:
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, found.request_id)
        if under_way.mark_taken(db, found, now):
            note_arrival(services, db, request, found.inbox, now)


def _came_back(services: Services, found: UnderWay, code: str) -> None:
    now = services.clock()
    with services.database.write() as db:
        if not under_way.mark_came_back(db, found, now, code, anew=code == CAME_BACK):
            return
        facts = {"inbox": found.inbox, "error": code}
        audit.append(db, found.practice_id, actor="worker", action="delivery came back", subject=found.request_id, at=now, **facts)
        queue_notice(services, db, db.get_one(Practice, found.practice_id), "given-up")
    logger.error("a delivery to %s came back (%s): capture deliveries list shows it", found.inbox, code)

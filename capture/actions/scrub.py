"""Read stored parts again and compare: what is damaged is noted and told, what belongs to nothing is removed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, takewhile
from time import monotonic

from capture.actions.purge import remove_blobs
from capture.actions.queue_notice import queue_notice
from capture.domain.requests import MAY_TAKE
from capture.domain.scrubbing import BEGIN, END, is_orphan, reach
from capture.errors import NotFound, Unavailable
from capture.services import Services
from capture.store import audit, deletions, requests, scrubbing
from capture.store.backups import FileFacts, facts_of
from capture.store.models import Practice
from capture.store.scrubbing import StoredPart

logger = logging.getLogger("capture.worker")
PATIENCE = 1.0
"""Seconds that one sweep of the worker spends on reading, so that deliveries wait no longer; what is left comes in the next."""
AT_ONCE = 200
"""Names that are looked at together."""
OTHERS = 5
"""How many other parts are asked for, to tell one that cannot be read from a store that is away."""


@dataclass
class Found:
    """What a scrub found: parts read and their bytes, parts that are damaged or missing with their codes, orphans removed."""

    parts: int = 0
    size: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    orphans: int = 0


def scrub_due(services: Services) -> Found:
    """Look at the parts whose turn it is, so that each has had its turn after `scrub_days`: one step of the worker's sweep."""
    found, end = Found(), monotonic() + PATIENCE
    position, until = _turn(services, "parts")
    for part in _parts(services, position, until):
        look(services, part, found)
        with services.database.write() as db:
            scrubbing.advance(db, "parts", position, part.photo_id)
        position = part.photo_id
        if monotonic() >= end:
            return found
    _pass(services, "parts", position, until)
    position, until = _turn(services, "names")
    for names in _names(services, position, until):
        found.orphans += remove_orphans(services, names)
        with services.database.write() as db:
            scrubbing.advance(db, "names", position, names[-1])
        position = names[-1]
        if monotonic() >= end:
            return found
    _pass(services, "names", position, until)
    return found


def scrub_all(services: Services, step: Callable[[int], None] = lambda _: None) -> Found:
    """Look at everything now; `step` is told of each part's size once it was read."""
    found = Found()
    for part in _parts(services, BEGIN, END):
        look(services, part, found)
        step(part.size)
    for names in _names(services, BEGIN, END):
        found.orphans += remove_orphans(services, names)
    return found


def stored_bytes(services: Services) -> int:
    """How many bytes the parts have that count, by their rows."""
    with services.database.read() as db:
        return scrubbing.stored_bytes(db)


def look(services: Services, part: StoredPart, found: Found) -> None:
    """Read one part. What changed since the last look is noted, staff and operator are told. Raises Unavailable."""
    code = read_again(services, part)
    found.parts, found.size = found.parts + 1, found.size + part.size
    with services.database.read() as db:
        if not scrubbing.find_damage(db, part.photo_id) and not code:
            return
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, part.request_id)  # whoever replaces or deletes the photo holds it too
        news = scrubbing.note_damage(db, part, code, now)
        if scrubbing.find_damage(db, part.photo_id):
            found.damaged[part.blob] = code
        if news:
            action = "part damaged" if code else "part whole"
            audit.append(db, request.practice_id, actor="worker", action=action, subject=request.id, at=now, view=part.view)
        if news and code:
            logger.error("a stored part is not as it was sealed: %s %s", code, part.blob)
            queue_notice(services, db, db.get_one(Practice, request.practice_id), "damaged")


def read_again(services: Services, part: StoredPart) -> str:
    """What is wrong with a part: part-missing, part-altered, part-unreadable, or nothing. Unavailable when the store is away."""
    try:
        return _compare(services, part)
    except Unavailable:
        if not _answers(services, part):
            raise
    try:
        return _compare(services, part)  # a store that stumbled once has lost nothing
    except Unavailable:
        return "part-unreadable"


def _compare(services: Services, part: StoredPart) -> str:
    try:
        facts = facts_of(services.blobs, part.blob)
    except NotFound:
        return "part-missing"
    return "" if facts == FileFacts(part.size, part.sha256) else "part-altered"


def _answers(services: Services, bad: StoredPart) -> bool:
    """Whether the store can say something of any other of a few parts; where it takes its time to say nothing it cannot."""
    end = monotonic() + PATIENCE
    with services.database.read() as db:
        others = [part.blob for part in scrubbing.next_parts(db, BEGIN, END, OTHERS + 1) if part.photo_id != bad.photo_id]
    for name in others:
        with suppress(Unavailable):
            with suppress(NotFound):
                next(services.blobs.read(name), None)
            return True
        if monotonic() >= end:
            break
    return False


def remove_orphans(services: Services, names: list[str]) -> int:
    """Remove those of these old parts that no photo names; how many.

    Those of a request that may still take photos stay until it is over, for an upload may be about to name one, and the clock may
    have jumped meanwhile. An upload that comes to its end holds the request as this does, and is refused once it is over.
    """
    with services.database.read() as db:
        unnamed = sorted(set(names) - scrubbing.named_blobs(db, names))
    orphans = []
    for name in unnamed:
        with services.database.write() as db:
            state = requests.try_lock(db, name.partition("/")[0])
            named = state in MAY_TAKE or scrubbing.named_blobs(db, [name])
            if not named and not deletions.is_listed(db, name):
                deletions.list_blobs(db, [name])
                orphans.append(name)
    remove_blobs(services, orphans)
    return len(orphans)


def _turn(services: Services, kind: str) -> tuple[str, str]:
    """From where to where the round should go now. One that came to its end, or began in the future, begins anew."""
    now = services.clock()
    with services.database.read() as db:
        found = scrubbing.find_round(db, kind)
    days = services.settings.scrub_days
    if found is None or found.began_at > now or (found.position, reach(found.began_at, now, days)) == (END, END):
        with services.database.write() as db:
            found = scrubbing.begin_round(db, kind, now)
    return found.position, reach(found.began_at, now, days)


def _pass(services: Services, kind: str, position: str, until: str) -> None:
    """Everything before `until` was looked at."""
    if until > position:
        with services.database.write() as db:
            scrubbing.advance(db, kind, position, until)


def _parts(services: Services, position: str, until: str) -> Iterator[StoredPart]:
    while True:
        with services.database.read() as db:
            parts = scrubbing.next_parts(db, position, until, AT_ONCE)
        yield from parts
        if len(parts) < AT_ONCE:
            return
        position = parts[-1].photo_id


def _names(services: Services, position: str, until: str) -> Iterator[list[str]]:
    """Names of parts that are old enough to be orphans, some at a time."""
    now = services.clock()
    found = takewhile(lambda one: one[0] < until, services.blobs.names(position))
    old = (name for name, written in found if is_orphan(written, now))
    while names := list(islice(old, AT_ONCE)):
        yield names

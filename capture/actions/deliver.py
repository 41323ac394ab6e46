"""Bring bundles that are due to their inboxes: one step of the worker."""

import hashlib
import logging
import random
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from capture.actions.queue_notice import queue_arrival, queue_notice
from capture.domain.requests import State
from capture.errors import BundleError, CaptureError, PhotosDeleted, Unavailable, Undeliverable, code_and_hint
from capture.inbox import WEB
from capture.inbox.base import BundleFile, BundleFiles, Placed
from capture.sealing.contents import MANIFEST, REQUEST_PART, SIGNATURE, Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.store import audit, deliveries, requests, scrubbing
from capture.store.deliveries import Lease
from capture.store.models import Bundle, Photo, Practice, Request
from capture.store.outbox import LEASE
from capture.store.photos import check_kept, current_photos

logger = logging.getLogger("capture.worker")
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=30)
MOST_TRIES = 345
"""About a week of them. Tries are counted, not days, so that a clock that jumps gives nothing up."""
FEW_TRIES = 5
"""How often a bundle is tried whose failure is its own and does not pass by waiting."""
OWN_FAULTS = (BundleError, PhotosDeleted, Undeliverable)
RENEW_EVERY = LEASE / 3
MOST_RENEWALS = 90
"""After an hour a put has hung rather than been long: then another worker may try."""


def deliver_next(services: Services, *, only: Collection[str] = (), but: Collection[str] = ()) -> bool:
    """Make the delivery that has been due longest, to these inboxes; False when there is none. See `take_due` and `deliver`."""
    lease = take_due(services, only=only, but=but)
    if lease:
        deliver(services, lease)
    return lease is not None


def deliver_to_pages(services: Services) -> bool:
    """The same for the staff pages alone."""
    return deliver_next(services, only=[WEB])


def take_due(services: Services, *, only: Collection[str] = (), but: Collection[str] = ()) -> Lease | None:
    """The right to make the delivery that has been due longest: to any inbox, to one of `only`, or to none of `but`."""
    with services.database.write() as db:
        return deliveries.lease_due(db, services.clock(), only=only, but=but)


def deliver(services: Services, lease: Lease) -> bool:
    """Make it, unless another worker has it by now; False when it failed, and was put back for later or given up."""
    try:
        with _kept(services, lease):
            placed = _put(services, lease)
    except Exception as error:  # whatever one inbox or bundle does to us, the next one is delivered
        _note_failure(services, lease, error)
        return False
    if placed:
        _settle(services, lease, placed)
    return True


def note_arrival(services: Services, db: Session, request: Request, inbox: str, now: datetime) -> None:
    """Move a locked request on with its first inbox, and tell the practice; later ones change nothing (ADR 10)."""
    if request.state == State.SUBMITTED:
        requests.move(db, request, State.DELIVERED, actor="worker", now=now, inbox=inbox)
        queue_arrival(services, db, db.get_one(Practice, request.practice_id), request.receipt)


def wait_before(attempt: int) -> timedelta:
    """How long to wait before that attempt (2 is the first retry): doubling, to a ceiling, a fifth of it by chance."""
    wait = min(FIRST_WAIT * 2.0 ** min(attempt - 2, 20), LONGEST_WAIT)
    return wait * random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries, keeps no secret


def bundle_files(services: Services, db: Session, bundle: Bundle) -> BundleFiles:
    """The bundle as it travels, from the database and the blob store. The signed manifest says what belongs to it.

    Raises PhotosDeleted.
    """
    manifest = from_json(Manifest, bundle.manifest, MANIFEST)
    photos = {photo.sealed_sha256: photo for photo in current_photos(db, bundle.request_id)}
    if not photos:  # none was ever sent without: they were deleted since the bundle was read
        db.refresh(bundle)
        check_kept(bundle)
    damages = scrubbing.damages_of(db, [bundle.request_id]).get(bundle.request_id, [])
    unreadable = {photo.sealed_sha256 for photo, damage in damages if damage.code == "part-unreadable"}
    held = ((MANIFEST, bundle.manifest), (SIGNATURE, bundle.signature), (REQUEST_PART, bundle.request_part))
    files = [BundleFile(name, len(data), hashlib.sha256(data).hexdigest(), partial(_pieces, data)) for name, data in held]
    files += [
        BundleFile(part.name, part.size, part.sha256, partial(_read, services, photos.get(part.sha256)), part.sha256 in unreadable)
        for part in manifest.photo_parts
    ]
    return BundleFiles(bundle.id, manifest.practice.ods, manifest.receipt, manifest.created, tuple(files))


def _pieces(data: bytes) -> Iterator[bytes]:
    yield data


def _read(services: Services, photo: Photo | None) -> Iterator[bytes]:
    if photo is None:
        raise BundleError("A photo that the manifest names is not in the database.", code="part-missing")
    return services.blobs.read(photo.blob)


@contextmanager
def _kept(services: Services, lease: Lease) -> Iterator[None]:
    """Renew the lease while a long put goes on, so that no other worker begins the same one."""
    over = threading.Event()

    def renew() -> None:
        for _ in range(MOST_RENEWALS):
            if over.wait(RENEW_EVERY.total_seconds()):
                return
            with suppress(CaptureError), services.database.write() as db:
                deliveries.renew(db, lease, services.clock())

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _put(services: Services, lease: Lease) -> Placed | None:
    """Put it there; None where the lease was lost to another worker before anything was sent."""
    place = services.inboxes.get(lease.inbox)
    if place is None:
        raise Unavailable(code="no-inbox", hint="the file of inboxes names it no more")
    with services.database.read() as db:
        bundle = bundle_files(services, db, db.get_one(Bundle, lease.bundle_id))
    with services.database.write() as db:
        if not deliveries.renew(db, lease, services.clock()):
            return None
    return place.inbox.put(replace(bundle, is_first=lease.fence == 1, came_back=lease.reference))


def _settle(services: Services, lease: Lease, placed: Placed) -> None:
    """Note the success."""
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, lease.request_id)
        if lease.inbox != WEB and deliveries.was_dropped(db, lease):  # nobody can take it back from there
            facts = {"actor": "worker", "subject": request.id, "inbox": lease.inbox}
            audit.append(db, lease.practice_id, action="delivery after deletion", at=now, **facts)
        elif not placed.final:
            deliveries.mark_under_way(db, lease, now, placed.reference)
        elif deliveries.mark_delivered(db, lease, now, placed.reference):
            if lease.inbox == WEB:  # which every bundle comes to, once: the process that it was sent to may know fewer inboxes
                ods = db.get_one(Practice, lease.practice_id).ods
                deliveries.queue_missing(db, lease.delivery_id, services.inboxes_of(ods), now)
            note_arrival(services, db, request, lease.inbox, now)


def _note_failure(services: Services, lease: Lease, error: Exception) -> None:
    """Put it back, or give it up and tell everyone. Code and hint go to the log, never words from outside (SECURITY 7)."""
    code, hint = code_and_hint(error)
    logger.warning("delivery to %s failed, try %d: %s (%s)", lease.inbox, lease.attempts, code, hint)
    now, tries, most = services.clock(), lease.attempts, MOST_TRIES
    with services.database.write() as db:
        if isinstance(error, OWN_FAULTS):  # those that failed for another reason count for nothing here
            tries, most = deliveries.count_tries(db, lease, code) + 1, FEW_TRIES
        if tries < most:
            held = deliveries.put_back(db, lease, now + wait_before(tries + 1), code)
        elif held := deliveries.give_up(db, lease, now, code):
            facts = {"inbox": lease.inbox, "error": code}
            audit.append(
                db, lease.practice_id, actor="worker", action="delivery given up", subject=lease.request_id, at=now, **facts
            )
            queue_notice(services, db, db.get_one(Practice, lease.practice_id), "given-up")
            logger.error("a delivery to %s was given up: capture deliveries list shows it", lease.inbox)
        if held:
            deliveries.note_try(db, lease, now, code)

"""Bring bundles that are due to their inboxes: one step of the worker."""

import hashlib
import logging
import random
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from capture.domain.requests import State
from capture.errors import CaptureError
from capture.inbox.base import BundleFile, BundleFiles
from capture.sealing.contents import MANIFEST, REQUEST_PART, SIGNATURE, Manifest
from capture.sealing.records import from_json
from capture.services import Services
from capture.store import deliveries, requests
from capture.store.deliveries import Lease
from capture.store.models import Bundle, Photo
from capture.store.photos import check_kept, current_photos

logger = logging.getLogger("capture.worker")
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=30)


def deliver_next(services: Services) -> bool:
    """Make the delivery that has been due longest; False when there is none. A failed one is put back for later."""
    with services.database.write() as db:
        lease = deliveries.lease_due(db, services.clock())
    if lease is None:
        return False
    try:
        with services.database.read() as db:
            bundle = bundle_files(services, db, db.get_one(Bundle, lease.bundle_id))
        services.inboxes[lease.inbox].inbox.put(bundle)
    except CaptureError as error:
        logger.warning("delivery to %s failed, try %d: %s", lease.inbox, lease.attempts, error.code)
        with services.database.write() as db:
            deliveries.put_back(db, lease, services.clock() + wait_before(lease.attempts + 1), error.code)
        return True
    _settle(services, lease)
    return True


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
    held = ((MANIFEST, bundle.manifest), (SIGNATURE, bundle.signature), (REQUEST_PART, bundle.request_part))
    files = [BundleFile(name, len(data), hashlib.sha256(data).hexdigest(), partial(_pieces, data)) for name, data in held]
    files += [
        BundleFile(part.name, part.size, part.sha256, partial(_read, services, photos.get(part.sha256)))
        for part in manifest.photo_parts
    ]
    return BundleFiles(bundle.id, manifest.practice.ods, manifest.receipt, manifest.created, tuple(files))


def _pieces(data: bytes) -> Iterator[bytes]:
    yield data


def _read(services: Services, photo: Photo | None) -> Iterator[bytes]:
    if photo is None:
        raise CaptureError("A photo that the manifest names is not in the database.", code="part-missing")
    return services.blobs.read(photo.blob)


def _settle(services: Services, lease: Lease) -> None:
    """Note the success; the request has been delivered once every inbox has the bundle."""
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, lease.request_id)
        if not deliveries.mark_delivered(db, lease, now):
            return  # another worker has taken over, and will note it
        if request.state == State.SUBMITTED and deliveries.all_delivered(db, lease.bundle_id):
            requests.move(db, request, State.DELIVERED, actor="worker", now=now, inbox=lease.inbox)

"""Take one photo: clean it, seal it, store it durably, and only then say that it has arrived."""

import hashlib
import logging
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from capture.domain import quality
from capture.domain.protocols import View, wanted
from capture.domain.requests import State, check_can_continue
from capture.errors import CaptureError, Conflict, NotAllowed, NotFound, PhotoRefused, TooMany, Unavailable
from capture.photos import CleanPhoto, Preset
from capture.sealing.age import seal
from capture.services import Services
from capture.store import audit, blobs, photos, requests
from capture.store.models import Photo, Request
from capture.store.recipients import current_keys

ANOTHER = "This photo cannot be taken. Take it again."
USED = "This page has sent another photo before. Send this one again."
"""Said of an id that was used: for another request, and for another photo of this one."""
logger = logging.getLogger("capture.photos")


@dataclass(frozen=True)
class Accepted:
    """A photo that is durable. `preview` is a small JPEG of it, in memory only, and empty when it had arrived before.

    `hints` are codes of what may be wrong with it; `takes` is how many photos of its view have arrived so far.
    """

    photo_id: str
    arrived: int
    total: int
    hints: tuple[str, ...]
    takes: int
    preview: bytes


def accept_photo(
    services: Services,
    request_id: str,
    view: str,
    photo_id: str,
    untrusted_bytes: bytes | bytearray,
    *,
    preview: bool = False,
    anyway: bool = False,
) -> Accepted:
    """Take a photo for a view; the same again under its `photo_id` changes nothing and gives the same answer (SECURITY 12).

    `preview` says whether a small one is wanted, to show it back; `anyway` whether the patient chose it in spite of hints.

    Raises PhotoRefused, TooMany, Conflict, LinkExpired, NotFound (no such view), Unavailable.
    """
    received_at = services.clock()
    with services.database.read() as db:
        request = db.get_one(Request, request_id)
        _check_open(services, db, request, view)
        if already := photos.find_photo(db, photo_id):
            _check_same(db, request, already, view, hashlib.sha256(untrusted_bytes).hexdigest())
            return _answer(services, db, request, already, b"")
        _check_quota(services, db, request, len(untrusted_bytes))
        known = {photo.id for photo in photos.current_photos(db, request_id)}
        keys = current_keys(db, request.practice_id)
    clean = _clean(services, request_id, untrusted_bytes, preview=preview)
    sealed = seal(clean.jpeg, keys)
    photo = Photo(
        id=photo_id,
        request_id=request_id,
        view=view,
        blob=blobs.new_name(request_id),
        sealed_size=len(sealed),
        sealed_sha256=hashlib.sha256(sealed).hexdigest(),
        arrived_at=received_at,
    )
    services.blobs.put(photo.blob, sealed)
    try:
        with services.database.write() as db:
            forgotten, answer = _keep(services, db, photo, clean, known, len(untrusted_bytes), anyway=anyway)
    except CaptureError as error:
        if not isinstance(error, Unavailable):  # then the row may have been written after all: better an orphan than a gap
            services.blobs.delete(photo.blob)
        raise
    for name in forgotten:
        services.blobs.delete(name)
    return answer


def find_accepted(services: Services, request_id: str, photo_id: str) -> tuple[str, Accepted]:
    """A photo that has arrived, again: its view and the answer that it got. NotFound while it has not."""
    with services.database.read() as db:
        photo = photos.find_photo(db, photo_id)
        if photo is None or photo.request_id != request_id:
            raise NotFound("This photo has not arrived yet.")
        return photo.view, _answer(services, db, db.get_one(Request, request_id), photo, b"")


def check_can_take(services: Services, db: Session, request: Request, view: str, size: int) -> None:
    """Whether another photo of that view and of `size` bytes may come, before any of it does. Raises as `accept_photo`."""
    _check_open(services, db, request, view)
    _check_quota(services, db, request, size)


def _check_open(services: Services, db: Session, request: Request, view: str) -> None:
    check_can_continue(State(request.state), services.clock(), request.expires_at)
    if not requests.answers_of(db, request).agreed_at:
        raise NotAllowed("Agree to how the photos are used first.")
    if view not in {allowed.id for allowed in _views(services, db, request)}:
        raise NotFound


def _views(services: Services, db: Session, request: Request) -> tuple[View, ...]:
    return services.catalogue.views_of(requests.details_of(db, request).protocol, request.views)


def _check_quota(services: Services, db: Session, request: Request, size: int) -> None:
    if photos.count_photos(db, request.id) >= services.settings.max_photos:
        raise TooMany
    if request.refusals >= services.settings.max_refusals:
        raise TooMany("Too many files could not be used. Call the practice for a new link.")
    if request.received_bytes + size > services.settings.max_link_bytes:
        raise TooMany("This link cannot take another photo of this size. Send what has arrived, or take a smaller one.")


def _clean(services: Services, request_id: str, untrusted_bytes: bytes | bytearray, *, preview: bool) -> CleanPhoto:
    try:
        return services.cleaner.clean(untrusted_bytes, Preset(max_bytes=services.settings.max_photo_bytes), preview=preview)
    except PhotoRefused as error:
        if error.code == "not-clean":
            logger.error("the checker found more than a picture in a cleaned photo: %s", error.__cause__ or error.code)
        with services.database.write() as db:
            requests.count_refusal(db, request_id, len(untrusted_bytes))
        raise


def _keep(
    services: Services, db: Session, photo: Photo, clean: CleanPhoto, known: set[str], received: int, *, anyway: bool
) -> tuple[list[str], Accepted]:
    """Write the row, unless the request was closed or the same photo came in meanwhile; names the blobs to forget.

    It takes the place of the view's `known` photo, but not of one that was sent after it and was quicker.
    """
    request = requests.lock_request(db, photo.request_id)
    check_can_continue(State(request.state), services.clock(), request.expires_at)
    if already := photos.find_photo(db, photo.id):
        _check_same(db, request, already, photo.view, clean.report.sha256_before)
        return [photo.blob], _answer(services, db, request, already, clean.preview)
    _check_quota(services, db, request, received)
    request.received_bytes += received
    rivals = [old for old in photos.current_photos(db, request.id) if old.view == photo.view]
    photo.replaced = any(old.id not in known and old.arrived_at > photo.arrived_at for old in rivals)
    replaced = [photo] if photo.replaced else rivals
    for old in replaced:
        old.replaced = True
    photos.insert_photo(db, photo, {"received": received, **_facts(services, clean, anyway=anyway)})
    audit.append(
        db,
        request.practice_id,
        actor="patient",
        action="photo arrived",
        subject=request.id,
        at=photo.arrived_at,
        view=photo.view,
    )
    return [old.blob for old in replaced], _answer(services, db, request, photo, clean.preview)


def _facts(services: Services, clean: CleanPhoto, *, anyway: bool) -> dict[str, Any]:
    found = quality.hints(clean.report.quality, services.thresholds)
    return {"size": len(clean.jpeg), **asdict(clean.report), "hints": found, "sent_anyway": anyway and bool(found)}


def _check_same(db: Session, request: Request, already: Photo, view: str, sha256: str) -> None:
    """Another photo under an id that was used, as a form that the browser kept sends it, must not be taken for the first one."""
    if already.request_id != request.id:
        raise Conflict(ANOTHER)
    if (already.view, photos.facts_of(db, already)["sha256_before"]) != (view, sha256):
        raise PhotoRefused(USED, code="photo-id-used")


def _answer(services: Services, db: Session, request: Request, photo: Photo, preview: bytes) -> Accepted:
    arrived = {current.view for current in photos.current_photos(db, request.id)}
    total = len(wanted(_views(services, db, request), arrived, requests.answers_of(db, request).skipped))
    found, takes = photos.facts_of(db, photo).get("hints", ()), photos.count_photos(db, request.id, photo.view)
    return Accepted(photo.id, len(arrived), total, tuple(found), takes, preview)

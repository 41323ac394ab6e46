"""Take a photo chunk by chunk: what has come stays in memory until all of it is there, then it is taken like any other."""

from dataclasses import dataclass
from datetime import datetime

from capture.actions import accept_photo
from capture.errors import CaptureError, Conflict, NotFound, PhotoRefused, Unavailable, WrongOffset
from capture.photos.arriving import Upload
from capture.photos.refusals import refused
from capture.services import Services
from capture.store import photos
from capture.store.models import Request


@dataclass(frozen=True)
class Progress:
    """How many bytes of a photo are acknowledged, of how many; all of them only once it is durable, and then nothing expires."""

    offset: int
    length: int
    expires_at: datetime | None


def begin(services: Services, request_id: str, view: str, photo_id: str, length: int, *, sent_anyway: bool) -> Progress:
    """Make room for a photo of `length` bytes; again under the same id, it goes on where it was.

    Raises PhotoRefused (empty, or the id was used for another photo), TooMany, Conflict, LinkExpired, NotFound (no such view),
    Unavailable (no memory).
    """
    with services.database.read() as db:
        if photo := photos.find_photo(db, photo_id):
            if photo.request_id != request_id:
                raise Conflict(accept_photo.ANOTHER)
            size: int = photos.facts_of(db, photo)["received"]
            if (photo.view, size) != (view, length):
                raise PhotoRefused(accept_photo.USED, code="photo-id-used")
            return Progress(size, size, None)
        accept_photo.check_can_take(services, db, db.get_one(Request, request_id), view, length)
    if not length:
        raise refused("empty")
    upload = services.arriving.begin(photo_id, request_id, view, length, sent_anyway=sent_anyway)
    if upload.request_id != request_id:
        raise Conflict(accept_photo.ANOTHER)
    if (upload.view, upload.length) != (view, length):
        raise PhotoRefused(accept_photo.USED, code="photo-id-used")
    upload.sent_anyway = sent_anyway
    return _progress(upload)


def append(services: Services, request_id: str, photo_id: str, offset: int, chunk: bytes) -> Progress:
    """Take a chunk in; after the last one the photo is cleaned, sealed and durable (SECURITY 11, 12).

    Raises NotFound (begin anew), WrongOffset, and what `accept_photo` raises: a refusal drops the photo, Unavailable keeps it.
    """
    with services.arriving.hold(photo_id, request_id) as upload:
        if upload is None:
            size = _arrived(services, request_id, photo_id)
            if offset != size or chunk:
                raise WrongOffset(size)
            return Progress(size, size, None)
        try:
            upload.put(offset, chunk)
            if not upload.whole:
                return _progress(upload)
            accept_photo.accept_photo(services, request_id, upload.view, photo_id, upload.data, anyway=upload.sent_anyway)
        except (Unavailable, WrongOffset):
            raise
        except CaptureError:
            services.arriving.end(upload)
            raise
        services.arriving.end(upload)
        return Progress(upload.length, upload.length, None)


def progress(services: Services, request_id: str, photo_id: str) -> Progress:
    """How much of a photo is here; NotFound when nothing is known of it."""
    if upload := services.arriving.find(photo_id, request_id):
        return _progress(upload)
    size = _arrived(services, request_id, photo_id)
    return Progress(size, size, None)


def drop(services: Services, request_id: str, photo_id: str) -> None:
    """Forget what has come of a photo. NotFound when nothing is known of it, Conflict when it has arrived."""
    with services.arriving.hold(photo_id, request_id) as upload:
        if upload is None:
            _arrived(services, request_id, photo_id)
            raise Conflict("This photo has arrived. To replace it, take it again.")
        services.arriving.end(upload)


def _progress(upload: Upload) -> Progress:
    return Progress(upload.offset, upload.length, upload.expires_at)


def _arrived(services: Services, request_id: str, photo_id: str) -> int:
    """The size of a photo as it came, once it is durable; NotFound before."""
    with services.database.read() as db:
        photo = photos.find_photo(db, photo_id)
        if photo is None or photo.request_id != request_id:
            raise NotFound("Nothing of this photo is here. Send it again.")
        size: int = photos.facts_of(db, photo)["received"]
    return size

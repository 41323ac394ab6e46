"""Photos on their way in, chunk by chunk: their bytes in memory and nowhere else, with a bound on all of them and on their time.

Nothing here knows what a photo is. One `Arriving` is shared by all threads of a process; what it holds is gone when the process
ends, and then the phone begins that photo anew.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from capture.errors import Unavailable, WrongOffset
from capture.photos.refusals import refused

PER_REQUEST = 4
"""Photos of one request that may be on their way at once."""
PATIENCE = 1.0
"""Seconds that one thread waits for another to be done with the same photo."""


@dataclass(eq=False)
class Upload:
    """One photo on its way in: `data` is what has come of its `length` bytes, of which the first `offset` are acknowledged.

    The last chunk is acknowledged only once the photo is durable: until then `offset` stays before it, and `whole` says that
    every byte is here.
    """

    photo_id: str
    request_id: str
    view: str
    sent_anyway: bool
    length: int
    expires_at: datetime
    offset: int = 0
    whole: bool = False
    data: bytearray = field(default_factory=bytearray, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, offset: int, chunk: bytes) -> None:
        """Take a chunk in. WrongOffset when it does not go on where the last one ended; PhotoRefused when it is too long.

        Once the photo is whole an empty chunk, before or after the last one, asks for the rest to be done again.
        """
        if self.whole and not chunk and offset in {self.offset, self.length}:
            return
        if offset != self.offset:
            raise WrongOffset(self.offset)
        end = offset + len(chunk)
        if end > self.length:
            raise refused("upload-too-long")
        self.data[offset:] = chunk
        self.whole = end == self.length
        if not self.whole:
            self.offset = end


class Arriving:
    """All of them. Safe to share between threads.

    `memory` bytes for all together, taken for a whole photo when it begins; `lifetime` since a photo's last chunk.
    """

    def __init__(self, *, memory: int, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        self._free, self._lifetime, self._clock = memory, lifetime, clock
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Bytes that are left for others."""
        return self._free

    def begin(self, photo_id: str, request_id: str, view: str, length: int, *, sent_anyway: bool) -> Upload:
        """Make room for a photo; the one that is there already under that id, if it is. Unavailable when there is no room.

        Of too many of one request the one that has been silent longest makes way: its phone begins it anew.
        """
        self.sweep()
        with self._lock:
            if there := self._uploads.get(photo_id):
                there.expires_at = self._clock() + self._lifetime
                return there
            own = [upload for upload in self._uploads.values() if upload.request_id == request_id]
            if len(own) >= PER_REQUEST:
                self._end_one(own)
            if length > self._free:
                raise Unavailable(code="no-memory", hint="more photos arrive at once than upload_memory has room for")
            made = Upload(photo_id, request_id, view, sent_anyway, length, self._clock() + self._lifetime)
            self._free -= length
            self._uploads[photo_id] = made
        return made

    def find(self, photo_id: str, request_id: str) -> Upload | None:
        """That photo of that request, if it is on its way."""
        self.sweep()
        upload = self._uploads.get(photo_id)
        return upload if upload and upload.request_id == request_id else None

    @contextmanager
    def hold(self, photo_id: str, request_id: str) -> Iterator[Upload | None]:
        """That photo for one thread alone, and its time begun anew; Unavailable when another is not done with it in time."""
        upload = self.find(photo_id, request_id)
        if upload is None:
            yield None
            return
        if not upload.lock.acquire(timeout=PATIENCE):
            raise Unavailable(code="photo-busy", hint="a phone sent a chunk again while its photo was being cleaned")
        try:
            upload.expires_at = self._clock() + self._lifetime
            yield upload if self._uploads.get(photo_id) is upload else None
        finally:
            upload.lock.release()

    def may_finish(self, photo_id: str, end: int) -> bool:
        """Whether a chunk that ends there may be the last one, after which the photo is cleaned."""
        upload = self._uploads.get(photo_id)
        return upload is None or upload.whole or end >= upload.length

    def end(self, upload: Upload) -> None:
        """Forget a photo that is held: it is durable, refused, or not wanted any more."""
        with self._lock:
            self._forget(upload)

    def end_request(self, request_id: str) -> None:
        """Forget all photos of a request that takes no more. One that is held at this moment ends by itself."""
        with self._lock:
            self._end([upload for upload in self._uploads.values() if upload.request_id == request_id])

    def sweep(self) -> None:
        """Forget the photos whose time is over."""
        now = self._clock()
        with self._lock:
            self._end([upload for upload in self._uploads.values() if now >= upload.expires_at])

    def _end_one(self, uploads: list[Upload]) -> None:
        for upload in sorted(uploads, key=lambda upload: upload.expires_at):
            if self._end([upload]):
                return
        raise Unavailable(code="photo-busy", hint="one link sends more photos at once than it may")

    def _end(self, uploads: list[Upload]) -> bool:
        """Forget those that nobody holds; whether that was any."""
        free = [upload for upload in uploads if upload.lock.acquire(blocking=False)]
        for upload in free:
            self._forget(upload)
            upload.lock.release()
        return bool(free)

    def _forget(self, upload: Upload) -> None:
        del self._uploads[upload.photo_id]
        self._free += upload.length
        upload.data = bytearray()

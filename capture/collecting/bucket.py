"""Bundles straight from the practice's bucket in S3, with no access to the service: one object each (docs/inboxes.md)."""

import re
from collections.abc import Container, Sequence
from functools import partial

from capture.bucket.client import AWAY, TAKEN
from capture.bucket.objects import Bucket
from capture.collecting.base import Target, Waiting, telling_away
from capture.errors import NotFound

_NAME = re.compile(r"/?([A-Z0-9-]{4,16})-([0-9a-f]{32})\.zip")
_told = partial(telling_away, "The bucket does not answer.", {AWAY, TAKEN, "unavailable"})  # taken: replaced while it was read


class BucketSource:
    """A Source: the objects under a prefix that are bundles by their names. Others are left alone.

    A prefix that names a folder may lack the slash at its end.

    A bucket knows of no acknowledging: what was collected is what the folder remembers. Only with `delete` it is taken away.
    """

    def __init__(self, bucket: Bucket, *, delete: bool) -> None:
        self._bucket, self._delete = bucket, delete

    def waiting(self, collected: Container[str]) -> Sequence[Waiting]:
        """See Source. Those that were written first come first."""
        with _told():
            found = [(at, match) for name, at in self._bucket.names() if (match := _NAME.fullmatch(name))]
        found.sort(key=lambda row: (row[0], row[1][0]))
        bundles = [Waiting(match[2], match[1], match[0]) for _, match in found]
        return [bundle for bundle in bundles if self._delete or bundle.id not in collected]

    def fetch(self, bundle: Waiting, target: Target) -> None:
        """See Source. It goes on where it broke off if the object is still the same."""
        with _told():
            found = self._bucket.find(bundle.handle)
        if not found:
            raise NotFound
        version, at = f"{found.mark} {found.at.isoformat()}", target.held
        if at > found.size or not target.begin(version, at, found.size):
            target.begin(version, at := 0, found.size)
        with _told():
            for piece in self._bucket.read(bundle.handle, at) if at < found.size else ():
                target.write(piece)

    def acknowledge(self, bundle: Waiting) -> None:
        """See Source."""
        if self._delete:
            with _told():
                self._bucket.delete(bundle.handle)

"""What every inbox promises."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from capture.errors import BundleError, NotFound


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle: its name in it, size in bytes, SHA-256 in hex, and how to read it."""

    name: str
    size: int
    sha256: str
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class BundleFiles:
    """A bundle as it travels: the signed manifest, its signature, the sealed parts. Nothing in it can be opened here."""

    id: str
    practice: str
    receipt: str
    files: tuple[BundleFile, ...]


class Inbox(Protocol):
    """Where a practice's bundles go."""

    def put(self, bundle: BundleFiles) -> None:
        """Put the bundle there, and return only when it is stored there whole, checked by hash.

        Putting the same bundle again changes nothing. Raises CaptureError with a code when it could not be stored; then it
        may be put again later.
        """


def check_whole(bundle: BundleFiles) -> None:
    """Read every file and compare size and hash; BundleError names the one that is missing or not as it was sealed."""
    for file in bundle.files:
        digest, size = hashlib.sha256(), 0
        try:
            for piece in file.read():
                digest.update(piece)
                size += len(piece)
        except NotFound:
            raise BundleError(f"{file.name} is missing from the store.", code="part-missing") from None
        if (size, digest.hexdigest()) != (file.size, file.sha256):
            raise BundleError(f"{file.name} is not as it was sealed.", code="part-altered")

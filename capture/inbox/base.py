"""What every inbox promises."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


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

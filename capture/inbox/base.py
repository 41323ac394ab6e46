"""What every inbox promises."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from capture.errors import BundleError, NotFound, Unavailable, Undeliverable
from capture.sealing.archive import MOST, Entry, archive_size

CAME_BACK = "came-back"
"""The code of a bundle that a way station took and could not hand on."""


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle: its name in it, size in bytes, SHA-256 in hex, and how to read it.

    `unreadable`: the scrub found that the store cannot read it, so that waiting helps nobody.
    """

    name: str
    size: int
    sha256: str
    read: Callable[[], Iterator[bytes]]
    unreadable: bool = False

    def checked(self) -> Iterator[bytes]:
        """Its bytes as `read` gives them, compared as they pass: BundleError in place of the last piece where they differ."""
        digest, size, held = hashlib.sha256(), 0, b""
        try:
            for piece in self.read():
                digest.update(piece)
                size += len(piece)
                yield held
                held = piece
        except NotFound:
            raise BundleError(f"{self.name} is missing from the store.", code="part-missing") from None
        except Unavailable:
            if not self.unreadable:
                raise
            raise BundleError(f"{self.name} cannot be read from the store.", code="part-unreadable") from None
        if (size, digest.hexdigest()) != (self.size, self.sha256):
            raise BundleError(f"{self.name} is not as it was sealed.", code="part-altered")
        yield held


@dataclass(frozen=True)
class BundleFiles:
    """A bundle as it travels: the signed manifest, its signature, the sealed parts. Nothing in it can be opened here.

    `is_first`: nobody can have put it there before, so that an inbox need not look. `came_back`: what the inbox called it when it
    came back last; it is put there anew.
    """

    id: str
    practice: str
    receipt: str
    created: datetime
    files: tuple[BundleFile, ...]
    is_first: bool = False
    came_back: str = ""

    @property
    def entries(self) -> list[Entry]:
        """What the bundle's ZIP holds (docs/FORMAT.md); the same bytes whenever it is made."""
        return [Entry(file.name, file.size, self.created, file.read) for file in self.files]

    def archive_size(self) -> int:
        """Bytes of that ZIP; Undeliverable where none can hold the bundle."""
        size = archive_size(self.entries)
        if size > MOST:
            raise Undeliverable(code="bundle-too-large", hint="a ZIP of this kind holds 2 GiB at most")
        return size

    @property
    def checked_entries(self) -> list[Entry]:
        """The same, each file compared with its hash as it is read."""
        return [Entry(file.name, file.size, self.created, file.checked) for file in self.files]


@dataclass(frozen=True)
class Placed:
    """What an inbox says of a bundle that is stored there. `reference` is its own name for it, at most 100 characters.

    Where `final` is False the inbox is a way station: the delivery is made once `Tracks.is_taken` says so.
    """

    reference: str = ""
    final: bool = True


class Inbox(Protocol):
    """Where a practice's bundles go."""

    def put(self, bundle: BundleFiles) -> Placed:
        """Put the bundle there, and return only when it is stored there whole, checked by hash.

        Putting the same bundle again, after any failure and from two workers at once, changes nothing: an inbox knows a bundle
        by its id. Raises CaptureError with a code when it could not be stored; then it is put again later. BundleError and
        Undeliverable say that the cause is this bundle and does not pass by waiting: after a few tries it is given up, so that
        those behind it go on.
        """


@runtime_checkable
class Checks(Protocol):
    """An inbox that can be asked whether it would take bundles now."""

    def check(self) -> str:
        """Say what it is and that it answers; CaptureError, with a hint for the operator, when it would take none."""


@runtime_checkable
class Tracks(Checks, Protocol):
    """A way station. It tells later whether the practice has taken a bundle from it, and it wants a `check` every day."""

    def is_taken(self, reference: str) -> bool:
        """Whether the bundle with that reference was taken.

        Undeliverable, with the code CAME_BACK: it will not be. Another CaptureError: there is no answer now.
        """

    def returned(self) -> Sequence[tuple[str, str]]:
        """Notices of bundles that came back, oldest first, not always all: what the notice is called, and the reference."""

    def forget(self, notice: str) -> None:
        """Let the notice go: what it says is noted."""


@dataclass(frozen=True)
class Place:
    """An inbox, what staff call it, and whose it is: the ODS codes of practices, or of all where there are none."""

    title: str
    inbox: Inbox
    practices: frozenset[str] = frozenset()

    def serves(self, ods: str) -> bool:
        """Whether bundles of that practice go there."""
        return not self.practices or ods in self.practices


def check_whole(bundle: BundleFiles) -> None:
    """Read every file and compare size and hash; BundleError names the one that is missing or not as it was sealed."""
    for file in bundle.files:
        for _ in file.checked():
            pass

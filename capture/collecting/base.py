"""What every place that bundles are collected from promises."""

import re
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from capture.errors import SourceAway, Unavailable
from capture.sealing.records import check

_ID = re.compile(r"[0-9a-f]{32}")
_RECEIPT = re.compile(r"[A-Z0-9-]{4,16}")


@dataclass(frozen=True)
class Waiting:
    """A bundle that waits. Id and receipt become names of files, so that what a source says of them is checked: BundleError.

    `handle` is what the source knows it by, if that is not its id.
    """

    id: str
    receipt: str
    handle: str = ""

    def __post_init__(self) -> None:
        check(bool(_ID.fullmatch(self.id)), "A bundle that waits has an id that is none.")
        check(bool(_RECEIPT.fullmatch(self.receipt)), "A bundle that waits has a receipt that is none.")


class Target(Protocol):
    """Where the ZIP of one bundle goes as it comes; it outlives this process."""

    @property
    def held(self) -> int:
        """How many bytes of it are here, from its first on."""

    def begin(self, version: str, at: int, size: int) -> bool:
        """The bytes from `at` on follow, of `size` in all; 0 where nobody knows. False where what is here is not its beginning.

        Raises CaptureError where there is no room for it.
        """

    def write(self, piece: bytes) -> None:
        """The next bytes."""


class Source(Protocol):
    """A place where bundles of one practice wait, each as the ZIP of docs/FORMAT.md.

    Raises SourceAway where a later try may do, NotFound or PhotosDeleted where a bundle is gone, BundleError where it cannot be
    had whole, and another CaptureError where somebody must put something right first.
    """

    def waiting(self, collected: Container[str]) -> Sequence[Waiting]:
        """The bundles that wait, the longest waiting first. One whose id is in `collected` may be left out."""

    def fetch(self, bundle: Waiting, target: Target) -> None:
        """All of its ZIP to the target, going on from what the target holds of the same version."""

    def acknowledge(self, bundle: Waiting) -> None:
        """It is opened and kept, so it need not wait any longer. Again it changes nothing."""


@contextmanager
def telling_away(sentence: str, codes: Container[str]) -> Iterator[None]:
    """Unavailable with one of these codes as SourceAway; what somebody must put right first, such as a key, stays what it is."""
    try:
        yield
    except Unavailable as error:
        if error.code not in codes:
            raise
        raise SourceAway(sentence, code=error.code, hint=error.hint) from None

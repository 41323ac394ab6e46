"""What is known of a file before its picture is decoded, whatever the container."""

import re
from collections import Counter
from dataclasses import dataclass, field

from capture.photos.exif import Exif
from capture.photos.refusals import refused

_PICTURE = re.compile(rb"\xff\xd8\xff[\xdb\xe0-\xef\xfe]")
MAX_SIDE = 65_500  # what a JPEG can hold


@dataclass
class Found:
    """Size in pixels as stored, EXIF orientation (1 to 8), profile, and what will be removed, counted by plain name.

    `picture` is what the decoder is given: only the parts that make the picture, where the container allows it.
    """

    width: int
    height: int
    picture: bytes = b""
    orientation: int = 1
    taken_at: str | None = None
    profile: bytes = b""
    removed: Counter[str] = field(default_factory=Counter)

    def exif(self, exif: Exif) -> None:
        """Take over what an EXIF block says; the first block that has an orientation or a time wins."""
        self.removed.update(exif.removed)
        self.orientation = exif.orientation if self.orientation == 1 else self.orientation
        self.taken_at = self.taken_at or exif.taken_at

    def trailing(self, rest: bytes) -> None:
        """Name what follows the end of the picture: phones keep videos and further pictures there."""
        if not rest.strip(b"\0"):
            return
        self.removed["video"] += rest.count(b"ftypmp4") + rest.count(b"ftypisom") + rest.count(b"ftypqt")
        self.removed["further picture"] += len(_PICTURE.findall(rest))
        self.removed["data after the picture"] += not (self.removed["video"] or self.removed["further picture"])


def check_pixels(width: int, height: int, most: int) -> None:
    """Refuse a size before anything is decoded."""
    if not width or not height:
        raise refused("damaged")
    if width * height > most or max(width, height) > MAX_SIDE:
        raise refused("too-many-pixels")

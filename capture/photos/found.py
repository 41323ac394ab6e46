"""What is known of a file before its picture is decoded, whatever the container."""

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice, pairwise

from capture.photos.exif import Exif
from capture.photos.refusals import refused

_PICTURE = re.compile(rb"\xff\xd8\xff[\xdb\xe0-\xef\xfe]")
_VIDEO = re.compile(rb"ftyp(?:mp4|isom|qt)")
MAX_VIDEOS = 20  # named one by one
MAX_VIDEO_SECONDS = 3600  # more is not believed of what hangs behind a photo
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
        starts = [video.start() for video in islice(_VIDEO.finditer(rest), MAX_VIDEOS)]
        for start, end in pairwise([*starts, len(rest)]):
            self.video(rest[start:end])
        pictures = len(_PICTURE.findall(rest))
        self.removed["further picture"] += pictures
        self.removed["data after the picture"] += not (starts or pictures)

    def video(self, part: bytes) -> None:
        """Count a video, with how long it plays if its header says so (mvhd, ISO/IEC 14496-12 section 8.2.2)."""
        at = part.find(b"mvhd") + 4
        scale_at, width = (at + 20, 8) if part[at : at + 1] == b"\1" else (at + 12, 4)
        scale = int.from_bytes(part[scale_at : scale_at + 4], "big")
        length = int.from_bytes(part[scale_at + 4 : scale_at + 4 + width], "big")
        is_told = at > 3 and scale and 0 < length / scale < MAX_VIDEO_SECONDS
        self.removed[f"video of {length / scale:.1f} s" if is_told else "video"] += 1


def check_pixels(width: int, height: int, most: int) -> None:
    """Refuse a size before anything is decoded."""
    if not width or not height:
        raise refused("damaged")
    if width * height > most or max(width, height) > MAX_SIDE:
        raise refused("too-many-pixels")

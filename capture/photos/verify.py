"""A second opinion on our own output: what is not on the short list below is not allowed.

Shares no code with the cleaner on purpose. Never used on untrusted bytes: piexif trusts what it reads.
"""

from dataclasses import dataclass

import numpy as np
import piexif

from capture.photos.refusals import refused
from capture.photos.report import Preset

_JFIF = bytes.fromhex("4a464946000101000001000100 00".replace(" ", ""))
_PIECE = 1 << 17
_MAX_PROFILE = 512
_TABLES = {0xDB, 0xC4, 0xDD}
_FRAMES = {0xC0, 0xC1, 0xC2}


@dataclass(frozen=True)
class Verified:
    """What the checker saw: the size in pixels and whether a Display P3 profile is there."""

    width: int
    height: int
    has_profile: bool


def verify(jpeg: bytes, preset: Preset) -> Verified:
    """Walk a clean JPEG. Raises PhotoRefused "not-clean" at the first thing that should not be there."""
    reason, seen = _walk(jpeg, preset)
    if seen is None:
        raise refused("not-clean") from ValueError(reason)
    return seen


def _walk(jpeg: bytes, preset: Preset) -> tuple[str, Verified | None]:  # noqa: C901, PLR0911, PLR0912 — one list, read in order
    if len(jpeg) > preset.max_bytes:
        return "more bytes than the preset", None
    if jpeg[:2] != b"\xff\xd8" or jpeg[2:6] != b"\xff\xe0\x00\x10" or jpeg[6:20] != _JFIF:
        return "does not begin with our own JFIF segment", None
    at, size, profile, scans, first_scan = 20, (0, 0), False, 0, 0
    while True:
        if len(jpeg) < at + 4 and jpeg[at:] != b"\xff\xd9":
            return "ends too early", None
        if jpeg[at] != 0xFF:
            return "bytes between segments", None
        marker = jpeg[at + 1]
        if marker == 0xD9:
            break
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if end > len(jpeg) or end < at + 4:
            return "ends too early", None
        if marker == 0xE2:
            if profile or scans or jpeg[at + 4 : at + 18] != b"ICC_PROFILE\0\1\1" or end - at > _MAX_PROFILE:
                return "an APP2 segment that is not our profile", None
            profile = True
        elif marker in _FRAMES:
            if size != (0, 0):
                return "two frames", None
            if end < at + 13 or jpeg[at + 4] != 8 or jpeg[at + 9] not in {1, 3}:
                return "not 8 bits of grey or of luma and chroma", None
            size = int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        elif marker == 0xDA:
            scans, first_scan = scans + 1, first_scan or at
            end = _stray(jpeg, end)
            if not end:
                return "no end of the picture", None
        elif marker not in _TABLES:
            return f"segment {marker:02x}", None
        at = end
    if at + 2 != len(jpeg):
        return "bytes after the end", None
    if not scans or not all(size):
        return "no picture", None
    if preset.max_side and max(size) > preset.max_side:
        return "a longer side than the preset", None
    if any(piexif.load(jpeg[: first_scan + 2]).values()):  # which is as far as piexif looks
        return "piexif finds something", None
    return "", Verified(*size, profile)


def _stray(jpeg: bytes, start: int) -> int:
    """Where, from `start`, the first marker stands that is not a restart; 0 if there is none."""
    data = np.frombuffer(jpeg, np.uint8)
    for begin in range(start, len(data) - 1, _PIECE):
        first, second = data[begin : min(begin + _PIECE, len(data) - 1)], data[begin + 1 : begin + 1 + _PIECE]
        marks = np.flatnonzero((first == 0xFF) & (second != 0))
        strays = marks[(second[marks] < 0xD0) | (second[marks] > 0xD7)]
        if strays.size:
            return begin + int(strays[0])
    return 0

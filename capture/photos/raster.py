"""Decoded pictures, and the search for the best JPEG of one that fits."""

import io
import math
from typing import Protocol

from PIL import Image

from capture.photos.refusals import refused

BEST, WORST = 95, 70  # qualities on libjpeg's scale: more than 95 only adds bytes; below 70 a smaller picture shows more
_CLOSE = 0.97  # a try that fills this share of the room is good enough
_SMALLEST = 16  # pixels on the short side


class Raster(Protocol):
    """A decoded picture that can be encoded as JPEG (without profile) at a quality, or made smaller."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    def encode(self, quality: int) -> bytes:
        """A baseline JPEG that starts with a JFIF segment."""
        ...

    def scaled(self, size: tuple[int, int]) -> "Raster":
        """The same picture with fewer pixels."""
        ...


class PillowRaster:
    """A Pillow image of mode L or RGB. `sampling` is "4:4:4", "4:2:2" or "4:2:0"."""

    def __init__(self, im: Image.Image, sampling: str) -> None:
        self._im, self._sampling = im, sampling

    @property
    def size(self) -> tuple[int, int]:
        return self._im.size

    def encode(self, quality: int) -> bytes:
        buffer = io.BytesIO()
        self._im.info.clear()  # Pillow writes a comment again unless it is forgotten
        self._im.save(buffer, "JPEG", quality=quality, subsampling=self._sampling)
        return buffer.getvalue()

    def scaled(self, size: tuple[int, int]) -> "PillowRaster":
        return PillowRaster(self._im.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), self._sampling)


def fit(raster: Raster, max_bytes: int, max_side: int) -> tuple[bytes, tuple[int, int]]:
    """The best JPEG of `raster` within both limits, and its size; first by quality, then by fewer pixels."""
    if max_side and max(raster.size) > max_side:
        raster = raster.scaled(_times(raster.size, max_side / max(raster.size)))
    while True:
        least = None
        best = raster.encode(BEST)
        if len(best) <= max_bytes:
            return best, raster.size
        if len(best) <= 8 * max_bytes:  # beyond that no quality helps
            least = raster.encode(WORST)
            if len(least) <= max_bytes:
                return _search(raster, max_bytes, least, len(best)), raster.size
        factor = math.sqrt(max_bytes / len(least)) * 0.98 if least else 0.5
        if min(raster.size) * factor < _SMALLEST:
            raise refused("cannot-fit")
        raster = raster.scaled(_times(raster.size, factor))


def _search(raster: Raster, max_bytes: int, good: bytes, too_many: int) -> bytes:
    """The best between WORST (which fits: `good`) and BEST (which does not), guessing by the logarithm of the bytes."""
    low, high = WORST, BEST
    while high - low > 1 and len(good) < _CLOSE * max_bytes:
        share = math.log(max_bytes / len(good)) / math.log(too_many / len(good))
        quality = min(max(low + 1, low + int(share * (high - low))), high - 1)
        tried = raster.encode(quality)
        if len(tried) <= max_bytes:
            low, good = quality, tried
        else:
            high, too_many = quality, len(tried)
    return good


def _times(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))

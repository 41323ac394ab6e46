"""JPEG without Pillow's decoder: coefficients re-coded, or planes of luma and chroma that are turned, scaled and encoded."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capture.photos.decode import upright
from capture.photos.jpeg import Header
from capture.photos.refusals import refused
from capture.photos.turbo import Plane, TurboJpeg, strictly

ROOM = 300 << 20  # bytes for one photo's coefficients or planes, so that 48 megapixels stay under 350 MB in all
PROGRESSIVE = {0xC2, 0xCA}


class PlaneRaster:
    """Upright planes of a JPEG of `size` pixels, at the sampling that it had. Luma's own plane may be padded to even sides."""

    def __init__(self, library: TurboJpeg, planes: list[Plane], size: tuple[int, int], luma: tuple[int, ...]) -> None:
        self.size = size
        self._library, self._planes, self._luma = library, planes, luma

    def encode(self, quality: int) -> bytes:
        return self._library.encode(self._planes, self.size, self._luma, quality)

    def scaled(self, size: tuple[int, int]) -> "PlaneRaster":
        return self._changed(
            size,
            self._luma,
            lambda im, wanted: im.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0),
        )

    def upright(self, orientation: int) -> "PlaneRaster":
        """The same picture with its EXIF orientation undone."""
        if orientation == 1:
            return self
        turned = orientation >= 5
        return self._changed(
            self.size[::-1] if turned else self.size,
            self._luma[::-1] if turned else self._luma,
            lambda im, _wanted: upright(im, orientation),
        )

    def _changed(
        self, size: tuple[int, int], luma: tuple[int, ...], change: Callable[[Image.Image, tuple[int, int]], Image.Image]
    ) -> "PlaneRaster":
        """Each plane changed, one after the other so that only one is held twice."""
        planes = []
        for number, shape in enumerate(self._library.plane_sizes(size, luma)):
            plane = self._planes[number]
            im = Image.frombuffer("L", (plane.width, plane.height), plane.samples, "raw", "L", 0, 1)
            if number == 0 and im.size != self.size:
                im = im.crop((0, 0, *self.size))
            im = change(im, size if number == 0 else shape)
            planes.append(Plane(_samples(_padded(im, shape)), *shape))
        return PlaneRaster(self._library, planes, size, luma)


def coefficient_bytes(header: Header) -> int:
    """What the coefficients of the whole picture take in memory, two bytes each."""
    across, down = header.mcu
    blocks = sum(h * v for h, v in header.sampling) if len(header.sampling) > 1 else 1
    return 128 * blocks * math.ceil(header.width / across) * math.ceil(header.height / down)


def decoded(library: TurboJpeg, header: Header, picture: bytes, orientation: int) -> PlaneRaster:
    """`picture` as upright planes; by its decoder's own scaling smaller by a half or more if it would not fit in ROOM."""
    if header.frame in PROGRESSIVE and coefficient_bytes(header) > 2 * ROOM:
        raise refused("too-many-pixels")
    luma = header.luma
    assert luma is not None  # noqa: S101 — the caller asked
    size, scale = (header.width, header.height), 1
    while _taken(size, luma, orientation) + len(picture) > ROOM:
        scale *= 2
        size = math.ceil(header.width / scale), math.ceil(header.height / scale)
    planes = strictly(lambda data: library.planes(data, size, luma), picture)
    return PlaneRaster(library, planes, size, luma).upright(orientation)


def averaged(header: Header, averages: NDArray[np.int16]) -> Image.Image:
    """Luma at 1:8 from its block averages: a DC coefficient is eight times the mean of its block, less 128 (T.81 A.3.3)."""
    luma = averages.astype(np.float32)
    luma *= header.averages.get(header.tables[0], 1) / 8
    luma += 128.5
    return Image.fromarray(np.clip(luma, 0, 255, out=luma).astype(np.uint8))


def _taken(size: tuple[int, int], luma: tuple[int, ...], orientation: int) -> int:
    """Bytes of all planes, once as decoded and once as turned, and of luma twice more on the way."""
    whole = size[0] * size[1]
    chroma = 2 * whole // math.prod(luma) if luma else 0
    return whole + chroma if orientation == 1 else 4 * whole + 2 * chroma


def _padded(im: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`im` with its last column and row repeated up to `size`."""
    if im.size == size:
        return im
    width, height = im.size
    padded = im.crop((0, 0, *size))
    if size[0] > width:
        padded.paste(im.crop((width - 1, 0, width, height)).resize((size[0] - width, height)), (width, 0))
    if size[1] > height:
        padded.paste(padded.crop((0, height - 1, size[0], height)).resize((size[0], size[1] - height)), (0, height))
    return padded


def _samples(im: Image.Image) -> bytearray:
    """The bytes of a grey image, strip by strip: `tobytes` of the whole would hold them twice."""
    samples = bytearray(im.width * im.height)
    for top in range(0, im.height, 256):
        strip = im.crop((0, top, im.width, min(top + 256, im.height)))
        samples[top * im.width : (top + strip.height) * im.width] = strip.tobytes()
    return samples

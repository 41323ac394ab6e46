"""Samples of more than 8 bits, dithered to 8: each is rounded up with the chance of what is cut off, so that slopes stay smooth."""

import random
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

ROWS = 128  # held at once at 32 bits


def tops(height: int) -> Iterator[tuple[int, int]]:
    """The first row and the one after the last of each strip of a picture."""
    return ((top, min(top + ROWS, height)) for top in range(0, height, ROWS))


def dithered(strips: Iterable[np.ndarray], mode: str, size: tuple[int, int], most: int) -> Image.Image:
    """An 8-bit image of `mode` and `size` (width, height) of strips of samples from 0 to `most` (2^bits - 1), top to bottom.

    A strip is (rows, width) or (rows, width, channels), of any kind of integer.
    """
    im, top, noise = Image.new(mode, size), 0, None
    for strip in strips:
        if noise is None:  # the first strip is as high as any
            noise = np.frombuffer(random.randbytes(strip.size), np.uint8).reshape(strip.shape)  # noqa: S311 — no secret
            noise = noise * np.uint32((most + 1) // 256)
        rounded = (strip.astype(np.uint32) * 255 + noise[: len(strip)]) // most
        im.paste(Image.fromarray(rounded.astype(np.uint8), mode), (0, top))
        top += len(strip)
    return im

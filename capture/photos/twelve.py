"""JPEG of 12 bits a sample (T.81's extended and progressive processes), by Huffman or arithmetic code.

Neither Pillow nor TurboJPEG 2.1 decodes it. libjpeg-turbo 3 in `imagecodecs` does, but says nothing of damage; so TurboJPEG
reads the whole of the code first.
"""

from imagecodecs import jpeg8_decode
from PIL import Image

from capture.photos.containers import MAX_PIXELS
from capture.photos.depth import dithered, tops
from capture.photos.found import check_pixels
from capture.photos.jpeg import Header, walk
from capture.photos.refusals import refused
from capture.photos.turbo import TurboJpeg, strictly

MOST = 600 << 20  # bytes for one photo: coefficients if there are several scans, samples, and Pillow's pixels
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def checked(library: TurboJpeg | None, header: Header, picture: bytes) -> bytes:
    """`picture` if it fits in memory and is undamaged; surplus bytes before its end are cut off.

    The code of 12 bits is that of 8 (T.81 F.1.2, G.1.2, F.1.4), so under a frame that says 8 the library reads all of it and
    warns as ever. The samples that it makes of it, at 1:8, mean nothing. Raises PhotoRefused: too-many-pixels or damaged.
    Without the library damage is not told.
    """
    size, count = (header.width, header.height), len(header.sampling)
    check_pixels(*size, MAX_PIXELS)
    if size[0] * size[1] * (2 * count * (1 if header.scans == 1 else 2) + (1 if count == 1 else 4)) > MOST:
        raise refused("too-many-pixels")
    if library is None:
        return picture
    at = next(at for marker, at, _ in walk(picture).segments if marker == header.frame) + 4
    eight = strictly(lambda data: library.check(data, size, is_cmyk=count == 4), picture[:at] + b"\x08" + picture[at + 1 :])
    return eight[:at] + b"\x0c" + eight[at + 1 :]


def decode(picture: bytes) -> Image.Image:
    """`picture` as an image of mode L, RGB or CMYK, dithered to 8 bits."""
    samples = jpeg8_decode(picture)
    height, width = samples.shape[:2]
    mode = _MODES[samples.size // (height * width)]
    most = 0xFFF
    strips = (samples[top:bottom] for top, bottom in tops(height))
    if mode == "CMYK":  # which JPEG holds the other way round, as Pillow takes it
        strips = (most - strip for strip in strips)
    return dithered(strips, mode, (width, height), most)

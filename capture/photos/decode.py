"""Untrusted pictures decoded by Pillow: the one place where a decoder is chosen, and only the one that was sniffed."""

import io
import warnings

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageFile

from capture.photos import colour, exif, twelve
from capture.photos.containers import MAX_PIXELS
from capture.photos.depth import dithered, tops
from capture.photos.found import Found, check_pixels

_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF", "avif": "AVIF"}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_LOW_BYTES = {  # by the raw mode that keeps the high bytes: the one that keeps the low ones, and where they end up
    "RGB;16B": ("RGB;16L", [0, 1, 2]),
    "RGBA;16B": ("RGBA;16L", [0, 1, 2, 3]),
    "LA;16B": ("RGBA", [1, 1, 1, 3]),  # grey and alpha, two bytes each, seen as four samples
}

AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
Image.MAX_IMAGE_PIXELS = None  # our own limits are checked first, and refuse where Pillow would only warn


def opened(kind: str, data: bytes) -> ImageFile.ImageFile:
    """The picture, header read, by the decoder of `kind` alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata that is not used
        return Image.open(io.BytesIO(data), formats=[_FORMATS[kind]])


def upright(im: Image.Image, orientation: int) -> Image.Image:
    """`im` turned so that it no longer needs its EXIF orientation (1 to 8)."""
    return im.transpose(_UPRIGHT[orientation]) if orientation != 1 else im


def decode(kind: str, found: Found, most: int = MAX_PIXELS) -> tuple[Image.Image, str]:
    """An upright L or RGB image of the primary picture and its colour space: "srgb" or "display-p3".

    A JPEG of more than `most` pixels is scaled by its decoder.
    """
    plain = twelve.decode(found.picture) if kind == "jpeg12" else _decoded(kind, found, most)
    space = colour.recognise(found.profile) if found.profile and plain.mode == "RGB" else "srgb"
    if found.profile and (space is None or plain.mode != "RGB"):
        plain, space = colour.to_srgb(plain, found.profile), "srgb"
    elif plain.mode == "CMYK":
        plain = plain.convert("RGB")
    return upright(plain, 1 if kind == "heic" else found.orientation), space or "srgb"


def _decoded(kind: str, found: Found, most: int) -> Image.Image:
    """The picture as its decoder gives it, as L, RGB or CMYK."""
    im = opened(kind, found.picture)
    if kind == "jpeg":
        if found.width * found.height > most:
            im.draft(None, (im.width // 2, im.height // 2))
    else:
        check_pixels(*im.size, most)
    if kind in {"heic", "avif"}:
        _items(kind, found, im)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bits = im.info.get("bit_depth", 8)
        if kind == "heic" and bits > 8 and im.mode in {"RGB", "RGBA"}:
            return _plain(_deep_heif(found.picture, bits))
        is_deep = kind == "png" and im.tile and im.tile[0].args in _LOW_BYTES
        im.load()
        return _plain(_deep_png(im, found.picture) if is_deep else im)


def _items(kind: str, found: Found, im: Image.Image) -> None:
    """What only the decoder can reach. Pixels of HEIC come upright; those of AVIF need the orientation it gives."""
    found.exif(exif.read(im.info.get("exif") or b""))
    if kind == "heic":
        found.orientation = im.info.get("original_orientation") or 1
    found.profile = found.profile or im.info.get("icc_profile") or b""


def _plain(im: Image.Image) -> Image.Image:
    """Any mode that a decoder gives, as L, RGB or CMYK; what is transparent becomes white."""
    if im.mode in {"L", "RGB", "CMYK"} and "transparency" not in im.info:
        return im
    if im.mode.startswith("I"):
        strips = (np.asarray(im.crop((0, top, im.width, bottom))) for top, bottom in tops(im.height))
        return dithered(strips, "L", im.size, 0xFFFF)
    if im.mode in {"1", "YCbCr", "RGBX", "LAB", "HSV", "F"}:
        return im.convert("L" if im.mode in {"1", "F"} else "RGB")
    if "transparency" in im.info or im.mode in {"RGBA", "LA", "PA", "RGBa", "La"}:
        clear = im.convert("RGBA")
        flat = Image.new("RGB", im.size, "white")
        flat.paste(clear, mask=clear.getchannel("A"))
        return flat
    return im.convert("RGB")


def _deep_png(im: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """A PNG of 16 bits a sample, of which Pillow has kept the high bytes: decoded again for the low ones."""
    with_low = opened("png", data)
    (tile,) = with_low.tile
    raw_mode, bands = _LOW_BYTES[str(tile.args)]
    with_low.tile = [tile._replace(args=raw_mode)]
    with_low.load()

    def strip(top: int, bottom: int) -> np.ndarray:
        high, low = (np.asarray(part.crop((0, top, im.width, bottom))) for part in (im, with_low))
        return np.asarray(high * np.uint16(256) + low[..., bands])

    return dithered((strip(*rows) for rows in tops(im.height)), im.mode, im.size, 0xFFFF)


def _deep_heif(data: bytes, bits: int) -> Image.Image:
    """A HEIC of 10 or 12 bits a sample, in colour."""
    samples = np.asarray(pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False))
    height, width, channels = samples.shape
    strips = (samples[top:bottom] for top, bottom in tops(height))
    return dithered(strips, "RGBA" if channels == 4 else "RGB", (width, height), 2**bits - 1)

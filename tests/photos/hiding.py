"""Photos that carry a canary: one for each place where a file can hide something."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import piexif
from PIL import Image, ImageCms, PngImagePlugin

from capture.photos.colour import DISPLAY_P3
from capture.photos.sample import sample_exif, sample_photo

from .corpus import CANARY, PHOTOSHOP, VIDEO, XMP, insert, jpeg, png_chunk, segment, twelve_bit

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@cache
def photos() -> dict[str, bytes]:
    """Every photo by name; made once."""
    return dict([*_jpegs(), *_pngs(), *_webps(), *_heifs()])


def _jpegs() -> Iterator[tuple[str, bytes]]:
    deep = twelve_bit(Image.open(io.BytesIO(jpeg())))
    plain = {"baseline": jpeg(), "progressive": jpeg(progressive=True), "12-bit": deep}
    for form, photo in plain.items():
        for name, block in _blocks().items():
            yield f"jpeg {form}: {name}", insert(photo, *block)
        for name, rest in _behind().items():
            yield f"jpeg {form}: {name}", photo + rest
        scan = photo.rindex(b"\xff\xda")
        yield f"jpeg {form}: comment before the last scan", photo[:scan] + segment(0xFE, CANARY) + photo[scan:]
        yield f"jpeg {form}: table that nothing uses", insert(photo, segment(0xDB, b"\3" + CANARY.ljust(64, b"!")))
        yield f"jpeg {form}: fill bytes", insert(photo, b"\xff" * 40, segment(0xFE, CANARY))
    baseline = plain["baseline"]
    yield "jpeg: canary before EOI", baseline[:-2] + CANARY + baseline[-2:]
    for mode in ("L", "CMYK"):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(baseline)).convert(mode).save(buffer, "JPEG", exif=_exif(), comment=CANARY)
        yield f"jpeg: {mode}", buffer.getvalue()
    yield "jpeg: Adobe RGB components", jpeg(keep_rgb=True, exif=_exif(), comment=CANARY)
    for sampling in ("4:4:4", "4:2:2", "4:1:1"):
        yield f"jpeg: {sampling}", jpeg(subsampling=sampling, exif=_exif(), comment=CANARY)
    yield "jpeg: restart markers", jpeg(restart_marker_blocks=4, exif=_exif(), comment=CANARY)


def _exif(**tags: Any) -> bytes:
    block = piexif.load(sample_exif())
    block["0th"].update({piexif.ImageIFD.ImageDescription: CANARY, piexif.ImageIFD.XPComment: tuple(CANARY)})
    block["Exif"].update({piexif.ExifIFD.UserComment: b"ASCII\0\0\0" + CANARY, piexif.ExifIFD.MakerNote: CANARY * 4})
    block["GPS"].update({piexif.GPSIFD.GPSAreaInformation: CANARY})
    block["0th"].update(tags)
    return bytes(piexif.dump(block))


def _blocks() -> dict[str, list[bytes]]:
    """JPEG segments by name."""
    thumbnail = io.BytesIO()
    Image.open(io.BytesIO(sample_photo(size=(160, 120)))).save(thumbnail, "JPEG", comment=CANARY)
    with_thumbnail = sample_exif(thumbnail=thumbnail.getvalue())
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", len(XMP), 0) + XMP
    icc = b"ICC_PROFILE\0\1\1"
    blocks: dict[str, list[bytes]] = {
        "EXIF": [segment(0xE1, _exif())],
        "EXIF twice": [segment(0xE1, _exif())] * 2,
        "EXIF of nothing": [segment(0xE1, b"Exif\0\0" + CANARY)],
        "EXIF that points to itself": [segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0" + CANARY)],
        "EXIF that points out": [segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xf0" + CANARY)],
        "EXIF thumbnail": [segment(0xE1, with_thumbnail)],
        "XMP": [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)],
        "extended XMP": [segment(0xE1, extended)],
        "IPTC": [segment(0xED, PHOTOSHOP)],
        "comment": [segment(0xFE, CANARY)],
        "two comments": [segment(0xFE, CANARY)] * 2,
        "JFXX thumbnail": [segment(0xE0, b"JFXX\0\x10" + thumbnail.getvalue())],
        "JFIF thumbnail": [segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\3\3" + CANARY.ljust(27, b"!"))],
        "profile's description": [segment(0xE2, icc + _described(SRGB))],
        "Display P3 profile's tail": [segment(0xE2, icc + DISPLAY_P3 + CANARY)],
        "foreign profile": [segment(0xE2, icc + _described(_swapped(SRGB)))],
        "broken profile": [segment(0xE2, icc + CANARY)],
        "content credentials": [segment(0xEB, b"JP\0\1" + CANARY)],
        "long Adobe block": [segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + CANARY)],
        "list of further pictures": [segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0" + CANARY)],
    }
    blocks.update({f"APP{number}": [segment(0xE0 + number, b"maker\0" + CANARY)] for number in range(3, 16)})
    return blocks


def _behind() -> dict[str, bytes]:
    """What phones and people put behind the end of a picture."""
    return {
        "bytes behind": CANARY,
        "video behind": VIDEO,
        "picture behind": insert(jpeg(), segment(0xFE, CANARY)),
        "archive behind": b"PK\3\4" + CANARY,
    }


def _described(profile: bytes) -> bytes:
    """A profile whose text holds the canary, in place."""
    at = profile.index(b"mluc") + 28
    return profile[:at] + CANARY[:20] + profile[at + 20 :]


def _swapped(profile: bytes) -> bytes:
    """A profile with red and green exchanged, so that it must be converted."""
    return profile.replace(b"rXYZ", b"\0tmp").replace(b"gXYZ", b"rXYZ").replace(b"\0tmp", b"gXYZ")


def _drawn(mode: str = "RGB") -> Image.Image:
    im = Image.open(io.BytesIO(jpeg((120, 90))))
    im.info.clear()
    return im.convert(mode)


def _saved(im: Image.Image, kind: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    im.save(buffer, kind, **save)
    return buffer.getvalue()


def _pngs() -> Iterator[tuple[str, bytes]]:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", CANARY.decode())
    packed = PngImagePlugin.PngInfo()
    packed.add_text("Comment", CANARY.decode(), zip=True)
    xmp = PngImagePlugin.PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", XMP.decode())
    for name, info in {"text": text, "packed text": packed, "XMP": xmp}.items():
        yield f"png: {name}", _saved(_drawn(), "PNG", pnginfo=info)
    yield "png: EXIF", _saved(_drawn(), "PNG", exif=_exif())
    yield "png: profile", _saved(_drawn(), "PNG", icc_profile=_described(SRGB))
    yield "png: foreign profile", _saved(_drawn(), "PNG", icc_profile=_described(_swapped(SRGB)))
    yield "png: animation", _saved(_drawn(), "PNG", save_all=True, append_images=[_drawn().rotate(90)], exif=_exif())
    plain = _saved(_drawn(), "PNG")
    end = plain.index(b"IEND") - 4
    yield "png: behind", plain + CANARY
    yield "png: private block", plain[:end] + png_chunk(b"caNa", CANARY) + plain[end:]
    yield "png: date", plain[:end] + png_chunk(b"tIME", CANARY[:7]) + plain[end:]
    yield "png: bytes after the pixels", plain[:end] + png_chunk(b"IDAT", CANARY) + plain[end:]
    broken = png_chunk(b"iCCP", b"x\0\0" + CANARY)
    yield "png: broken profile", plain[:33] + broken + plain[33:]
    for mode in ("1", "L", "LA", "P", "RGBA"):
        yield f"png: mode {mode}", _saved(_drawn("L").convert("LA") if mode == "LA" else _drawn(mode), "PNG", pnginfo=text)
    yield "png: transparent palette", _saved(_drawn("P"), "PNG", transparency=3, pnginfo=text)
    yield "png: transparent colour", _saved(_drawn(), "PNG", transparency=(0, 0, 0), pnginfo=text)
    yield "png: 16-bit grey", _saved(_drawn("L").convert("I;16"), "PNG", pnginfo=text)
    deep = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(48)) * 8)
    head = plain[:8] + png_chunk(b"IHDR", deep) + png_chunk(b"tEXt", b"a\0" + CANARY)
    yield "png: 16-bit colour", head + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def _webps() -> Iterator[tuple[str, bytes]]:
    yield "webp: EXIF", _saved(_drawn(), "WEBP", exif=_exif())
    yield "webp: XMP", _saved(_drawn(), "WEBP", xmp=XMP)
    yield "webp: profile", _saved(_drawn(), "WEBP", icc_profile=_described(SRGB))
    yield "webp: alpha", _saved(_drawn("RGBA"), "WEBP", exif=_exif())
    yield "webp: lossless", _saved(_drawn(), "WEBP", lossless=True, exif=_exif())
    yield "webp: animation", _saved(_drawn(), "WEBP", save_all=True, append_images=[_drawn().rotate(90)], exif=_exif())
    plain = _saved(_drawn(), "WEBP", exif=_exif())
    yield "webp: behind", plain + CANARY
    extra = b"caNa" + struct.pack("<I", len(CANARY)) + CANARY
    yield "webp: private block", b"RIFF" + struct.pack("<I", len(plain) - 8 + len(extra)) + plain[8:] + extra


def _heifs() -> Iterator[tuple[str, bytes]]:
    for name, kind in {"heic": "HEIF", "avif": "AVIF"}.items():
        yield f"{name}: EXIF", _saved(_drawn(), kind, exif=_exif())
        yield f"{name}: XMP", _saved(_drawn(), kind, xmp=XMP)
        yield f"{name}: profile", _saved(_drawn(), kind, icc_profile=_described(SRGB))
        yield f"{name}: alpha", _saved(_drawn("RGBA"), kind, exif=_exif())
        plain = _saved(_drawn(), kind, exif=_exif())
        for box in (b"free", b"mpvd", b"uuid"):
            yield f"{name}: {box.decode()} box", plain + struct.pack(">I", 8 + len(CANARY)) + box + CANARY
    yield "heic: further picture", _saved(_drawn(), "HEIF", save_all=True, append_images=[_drawn().rotate(90)], exif=_exif())
    yield "avif: animation", _saved(_drawn(), "AVIF", save_all=True, append_images=[_drawn().rotate(90)], exif=_exif())

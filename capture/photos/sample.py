"""Photos for the demo and the tests: drawn, of nobody, with the metadata that a phone would leave.

piexif writes the EXIF block here; it never reads anything that came from outside.
"""

import io
import random
from fractions import Fraction

import piexif
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SKIN = {"light": (224, 182, 155), "medium": (176, 124, 92), "dark": (104, 68, 50)}


def sample_exif(*, orientation: int = 1, taken: str = "2026:11:02 09:41:07", thumbnail: bytes = b"") -> bytes:
    """An EXIF block as a phone writes it: model, serial number, GPS position (the middle of Regent's Park), time."""
    return bytes(
        piexif.dump(
            {
                "0th": {
                    piexif.ImageIFD.Make: b"Sample",
                    piexif.ImageIFD.Model: b"Sample Phone 7",
                    piexif.ImageIFD.Orientation: orientation,
                    piexif.ImageIFD.Software: b"Sample OS 26.1",
                    piexif.ImageIFD.Artist: b"A Patient",
                },
                "Exif": {
                    piexif.ExifIFD.DateTimeOriginal: taken.encode(),
                    piexif.ExifIFD.OffsetTimeOriginal: b"+00:00",
                    piexif.ExifIFD.BodySerialNumber: b"SN-0042-4711",
                    piexif.ExifIFD.MakerNote: b"sample maker note " * 8,
                    piexif.ExifIFD.FocalLength: _ratio(4.25),
                },
                "GPS": {
                    piexif.GPSIFD.GPSLatitudeRef: b"N",
                    piexif.GPSIFD.GPSLatitude: (_ratio(51), _ratio(31), _ratio(48.12)),
                    piexif.GPSIFD.GPSLongitudeRef: b"W",
                    piexif.GPSIFD.GPSLongitude: (_ratio(0), _ratio(9), _ratio(24.5)),
                },
                "1st": {piexif.ImageIFD.Compression: 6} if thumbnail else {},
                "thumbnail": thumbnail or None,
            }
        )
    )


def sample_photo(
    view: str = "close-up",
    *,
    size: tuple[int, int] = (1600, 1200),
    skin: str = "medium",
    orientation: int = 1,
    quality: int = 88,
) -> bytes:
    """A JPEG of drawn skin with a small brown mark, seen as `view` asks, with `sample_exif` in it.

    `size` is in pixels as stored; `orientation` is only written, the picture is not turned.
    """
    im = _skin(view, size, skin)
    small = im.copy()
    small.thumbnail((160, 120))
    thumb, photo = io.BytesIO(), io.BytesIO()
    small.save(thumb, "JPEG")
    exif = sample_exif(orientation=orientation, thumbnail=thumb.getvalue())
    im.save(photo, "JPEG", quality=quality, exif=exif, subsampling="4:2:0", comment=b"drawn, not taken", dpi=(72, 72))
    return photo.getvalue()


def _ratio(number: float) -> tuple[int, int]:
    fraction = Fraction(number).limit_denominator(100)
    return fraction.numerator, fraction.denominator


def _skin(view: str, size: tuple[int, int], skin: str) -> Image.Image:
    """Even skin with pores, light from one side, one mark in the middle; a ruler beside it where a scale is asked for."""
    chance = random.Random(f"{view}{skin}")  # noqa: S311 — the same picture every time
    width, height = 800, 800 * size[1] // size[0]
    im = Image.new("RGB", (width, height), SKIN[skin])
    draw = ImageDraw.Draw(im)
    for _ in range(6000):
        x, y, shade = chance.randrange(width), chance.randrange(height), chance.randint(-12, 9)
        draw.point((x, y), tuple(part + shade for part in SKIN[skin]))
    radius = {"context": 9, "overall": 7}.get(view, 70)
    middle = width // 2 + chance.randint(-20, 20), height // 2
    for layer in range(6):
        reach = radius * (1 - layer / 8)
        wobble = radius * 0.12
        outline = [
            (
                middle[0] + (reach + chance.uniform(-wobble, wobble)) * dx,
                middle[1] + (reach + chance.uniform(-wobble, wobble)) * dy * 0.8,
            )
            for dx, dy in ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7))
        ]
        draw.polygon(outline, tuple(int(part * (0.74 - 0.05 * layer)) for part in SKIN[skin]))
    im = im.filter(ImageFilter.GaussianBlur(1.6))
    if "scale" in view or "ruler" in view:
        _ruler(im, middle[1] + int(radius * 1.4))
    light = Image.linear_gradient("L").resize(im.size).point(lambda level: 205 + level // 6)
    im = Image.composite(im, Image.new("RGB", im.size, "black"), light).resize(size, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(size, 7)
    return ImageChops.add(im, Image.merge("RGB", (grain, grain, grain)), offset=-128)


def _ruler(im: Image.Image, top: int) -> None:
    draw = ImageDraw.Draw(im)
    draw.rectangle((0, top, im.width, top + 60), fill=(238, 236, 228))
    for millimetre in range(im.width // 14 + 1):
        draw.line((millimetre * 14, top, millimetre * 14, top + (24 if millimetre % 10 == 0 else 13)), fill=(40, 40, 40), width=2)

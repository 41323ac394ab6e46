"""What cleaning promises and what it reports: plain data that both sides of the sandbox share."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """What the receiving system takes: `max_bytes` a file, `max_side` pixels on the long side (0 is no limit)."""

    max_bytes: int = 5_242_880 - 65_536
    max_side: int = 0


@dataclass(frozen=True)
class Removed:
    """One kind of thing that was in the file and is not any more: its plain name and how many, never a value."""

    name: str
    count: int


@dataclass(frozen=True)
class Report:
    """The certificate of one photo.

    `kind` is what came in: jpeg, png, webp, heic or avif. `width` and `height` are the clean picture's pixels, upright.
    `lossless` says that the JPEG's coefficients are the source's own; `why` says why not. `orientation` is the EXIF
    orientation (1 to 8) that was undone. `colour` is "srgb" or "display-p3". `taken_at` is ISO 8601 from the camera's
    clock, with an offset only if the camera gave one. `quality` holds the figures of `capture.photos.quality`. The hashes
    are SHA-256 in hexadecimal, of the bytes that came in and of the clean JPEG.
    """

    kind: str
    width: int
    height: int
    lossless: bool
    why: str
    orientation: int
    colour: str
    removed: tuple[Removed, ...]
    taken_at: str | None
    quality: dict[str, float]
    sha256_before: str
    sha256_after: str

    def to_json(self) -> str:
        """The report as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Read `to_json`'s line back. Raises ValueError, KeyError or TypeError if it is not one."""
        fields: dict[str, Any] = json.loads(text)
        fields["removed"] = tuple(Removed(str(one["name"]), int(one["count"])) for one in fields["removed"])
        fields["quality"] = {str(name): float(figure) for name, figure in fields["quality"].items()}
        report = cls(**fields)
        for name, kind in _TYPES.items():
            if not isinstance(fields[name], kind):
                raise TypeError(name)
        return report


_TYPES = {
    **dict.fromkeys(("width", "height", "orientation"), int),
    **dict.fromkeys(("kind", "why", "colour", "sha256_before", "sha256_after"), str),
    "lossless": bool,
    "taken_at": str | None,
}


@dataclass(frozen=True)
class CleanPhoto:
    """An upright JPEG holding nothing but the picture, a small `preview` JPEG of it, and the certificate."""

    jpeg: bytes
    report: Report
    preview: bytes

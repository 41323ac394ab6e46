"""What a bundle says: the signed manifest, which holds no patient data, and the sealed request. `docs/FORMAT.md` specifies both."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from capture.sealing.records import check, shown

VERSION = 1
MANIFEST, SIGNATURE, REQUEST_PART = "bundle.json", "bundle.sig", "request.json.age"
MAX_PHOTOS = 99
MAX_PART = 160 * 1024 * 1024  # bytes; the largest preset gives 100 MB
MAX_JSON = 1024 * 1024  # bytes, of bundle.json and of request.json.age

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RECEIPT = re.compile(r"[A-Z0-9-]{4,16}")
_ODS = re.compile(r"[A-Z0-9]{1,9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}")
_VIEW = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NHS_NUMBER = re.compile(r"([0-9]{10})?")
_TAKEN_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True)
class Practice:
    """Whose bundle it is: ODS code and name."""

    ods: str
    name: str

    def __post_init__(self) -> None:
        check(bool(_ODS.fullmatch(self.ods)), "The practice's ODS code is not one to nine capital letters and digits.")


@dataclass(frozen=True)
class Part:
    """One sealed file of the bundle: its name there, its size in bytes and its SHA-256 in hexadecimal, as sealed."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check(0 < self.size <= MAX_PART, "The size of a part is not possible.")
        check(bool(_SHA256.fullmatch(self.sha256)), "The SHA-256 of a part is not 64 hexadecimal digits.")

    @classmethod
    def of(cls, name: str, sealed: bytes) -> "Part":
        return cls(name, len(sealed), hashlib.sha256(sealed).hexdigest())


@dataclass(frozen=True)
class Manifest:
    """bundle.json: all that is outside the seals. `recipients` are fingerprints; `parts` the request, then the photos in order."""

    bundle: str
    request: str
    receipt: str
    practice: Practice
    recipients: tuple[str, ...]
    created: datetime
    parts: tuple[Part, ...]
    format: str = "capture-bundle"
    version: int = VERSION

    def __post_init__(self) -> None:
        check(self.format == "capture-bundle", "This is not the manifest of a bundle.")
        check(self.version == VERSION, f"This bundle is of version {self.version}; only version {VERSION} can be opened here.")
        check(all(_ID.fullmatch(name) for name in (self.bundle, self.request)), "The bundle's or request's id is malformed.")
        check(bool(_RECEIPT.fullmatch(self.receipt)), "The receipt is malformed.")
        check(
            bool(self.recipients) and all(_FINGERPRINT.fullmatch(name) for name in self.recipients),
            "The recipients are not fingerprints.",
        )
        names = [part.name for part in self.parts]
        check(bool(names) and names[0] == REQUEST_PART, f"The first part is not {REQUEST_PART}.")
        check(self.parts[0].size <= MAX_JSON, f"{REQUEST_PART} is too large.")
        _check_photo_names(names[1:])

    @property
    def photo_parts(self) -> tuple[Part, ...]:
        return self.parts[1:]


@dataclass(frozen=True)
class Consent:
    """Which text the patient (or who helped) agreed to, and when."""

    version: str
    at: datetime


@dataclass(frozen=True)
class Removed:
    """What was removed from a photo: the plain name of a kind of metadata and how many, never a value."""

    name: str
    count: int


@dataclass(frozen=True)
class SealedPhoto:
    """One photo, as the sealed request tells of it.

    `part` is its name in the bundle; `width`, `height` in pixels, `size` in bytes and `sha256` are of the clean JPEG inside the
    seal. `taken_at` is ISO 8601 by the camera's clock, with an offset only if the camera gave one. `hints` are the codes of what
    the quality check advised, `sent_anyway` whether the patient chose to send the photo all the same.
    """

    part: str
    view: str
    title: str
    taken_at: str | None
    width: int
    height: int
    size: int
    sha256: str
    removed: tuple[Removed, ...]
    lossless: bool
    colour: str
    quality: Mapping[str, float]
    hints: tuple[str, ...]
    sent_anyway: bool

    def __post_init__(self) -> None:
        check(min(self.width, self.height, self.size) > 0, f"{shown(self.part)} has no size.")
        check(bool(_SHA256.fullmatch(self.sha256)), "The SHA-256 of a photo is not 64 hexadecimal digits.")
        taken = self.taken_at is None or _TAKEN_AT.fullmatch(self.taken_at)
        check(bool(taken), "The time a photo was taken is malformed.")


@dataclass(frozen=True)
class SealedRequest:
    """request.json: all that the practice asked and the patient said. `side` and `nhs_number` are empty where there is none."""

    bundle: str
    request: str
    practice: Practice
    receipt: str
    asked_by: str
    asked_at: datetime
    label: str
    reference: str
    nhs_number: str
    site: str
    side: str
    snomed: str | None
    protocol: str
    answers: Mapping[str, str]
    note: str
    consent: Consent
    submitted_at: datetime
    photos: tuple[SealedPhoto, ...] = field(repr=False)
    version: int = VERSION

    def __post_init__(self) -> None:
        check(self.version == VERSION, f"This request is of version {self.version}; only version {VERSION} can be read here.")
        check(bool(_NHS_NUMBER.fullmatch(self.nhs_number)), "The NHS number is not ten digits.")
        _check_photo_names([photo.part for photo in self.photos])

    def file_name(self, photo: SealedPhoto) -> str:
        """The name to save a photo under: `2026-11-22_left-forearm_close-up_2of3.jpg`, only [a-z0-9_-] before the ending."""
        number = 1 + [each.part for each in self.photos].index(photo.part)
        words = (f"{self.submitted_at:%Y-%m-%d}", _slug(f"{self.side} {self.site}"), _slug(photo.view))
        return "_".join([*words, f"{number}of{len(self.photos)}"]) + ".jpg"


def photo_part_name(number: int, view: str) -> str:
    """The name of the number-th photo (from 1) in a bundle, such as `photos/01-context.jpg.age`."""
    check(bool(_VIEW.fullmatch(view)) and len(view) <= 40, "A view's name is not lower-case words joined by hyphens.")
    return f"photos/{number:02}-{view}.jpg.age"


def _check_photo_names(names: list[str]) -> None:
    """At least one photo, numbered from 01 in order: so no name comes twice, and none can lead out of a folder."""
    check(0 < len(names) <= MAX_PHOTOS, f"A bundle holds from 1 to {MAX_PHOTOS} photos.")
    for number, name in enumerate(names, 1):
        view = name.removeprefix(f"photos/{number:02}-").removesuffix(".jpg.age")
        right = len(view) <= 40 and _VIEW.fullmatch(view) and name == photo_part_name(number, view)
        check(bool(right), f"{shown(name)} is not the name of photo {number}.")


def _slug(text: str) -> str:
    plain = re.sub("[^ -~]", "", unicodedata.normalize("NFKD", text)).lower()
    return re.sub("[^a-z0-9]+", "-", plain)[:60].strip("-") or "photo"

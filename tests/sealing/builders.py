"""Bundles for the tests, and ways to spoil them."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from capture.sealing import age
from capture.sealing.bundle import SealedBundle, seal_bundle, stream_zip
from capture.sealing.contents import Consent, Part, Practice, Removed, SealedPhoto, SealedRequest, photo_part_name
from capture.sealing.keys import Identity, Recipient, SigningKey

AT = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
VIEWS = ("context", "close-up", "close-up-scale")


def make_photo(number: int, view: str, jpeg: bytes) -> SealedPhoto:
    return SealedPhoto(
        part=photo_part_name(number, view),
        view=view,
        title=view.capitalize(),
        taken_at="2026-11-21T18:04:00",
        width=4000,
        height=3000,
        size=len(jpeg),
        sha256=sha256(jpeg).hexdigest(),
        removed=(Removed("GPS position", 1), Removed("thumbnail", 2)),
        lossless=True,
        colour="display-p3",
        quality={"blur": 0.5, "light": 120.0},
        hints=("blurred",),
        sent_anyway=True,
    )


def make_request(photos: Sequence[SealedPhoto], **changes: object) -> SealedRequest:
    request = SealedRequest(
        bundle="b" * 32,
        request="r" * 32,
        practice=Practice("A81001", "Ysgol Surgery — Tŷ Mawr"),
        receipt="KX7-P3Q",
        asked_by="Dr Sam Okafor",
        asked_at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
        label="Mrs Ada Byron",
        reference="EMIS 12345",
        nhs_number="9434765919",
        site="forearm",
        side="left",
        snomed="371311000",
        protocol="lesion",
        answers={"helper": "my daughter"},
        note="It itches at night ✨",
        consent=Consent("2026-10", AT),
        submitted_at=AT,
        photos=tuple(photos),
    )
    return replace(request, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Made:
    """A bundle, the keys that open it and what should come out."""

    key: SigningKey
    identity: Identity
    recovery: Identity
    jpegs: Mapping[str, bytes]
    bundle: SealedBundle
    sealed: tuple[bytes, ...]

    def zip(self) -> bytes:
        return b"".join(stream_zip(self.bundle, [[part[:100], part[100:]] for part in self.sealed]))

    def save(self, folder: Path) -> Path:
        path = folder / "bundle.zip"
        path.write_bytes(self.zip())
        return path


def make_bundle(
    jpegs: Sequence[bytes] = (b"\xff\xd8 context", b"\xff\xd8 close-up" * 9000, b"\xff\xd8 scale"),
    *,
    key: SigningKey | None = None,
    identity: Identity | None = None,
    request: Callable[[SealedRequest], SealedRequest] = lambda request: request,
) -> Made:
    """A bundle of one photo for each of `jpegs`. `request` may alter what the sealed request says."""
    key, identity, recovery = key or SigningKey.generate(), identity or Identity.generate(), Identity.generate()
    recipients: list[Recipient] = [identity.recipient, recovery.recipient]
    photos = [make_photo(number, view, jpeg) for number, (view, jpeg) in enumerate(zip(VIEWS, jpegs, strict=False), 1)]
    sealed = tuple(age.seal(jpeg, recipients) for jpeg in jpegs)
    parts = [Part.of(photo.part, part) for photo, part in zip(photos, sealed, strict=True)]
    bundle = seal_bundle(request(make_request(photos)), parts, recipients, key, AT)
    named = {photo.part: jpeg for photo, jpeg in zip(photos, jpegs, strict=True)}
    return Made(key, identity, recovery, named, bundle, sealed)


def unzip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(files: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return target.getvalue()

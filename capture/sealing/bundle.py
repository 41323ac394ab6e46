"""The bundle: made and signed where photos arrive, streamed as a ZIP, opened and checked where they are wanted.

Errors are `BundleError` with one of these codes: `bundle-zip`, not a ZIP as bundles are; `bundle-format`, a manifest or request
that breaks the format; `bundle-signature`, not signed by the pinned signer; `bundle-missing`, `bundle-added`, `bundle-altered`,
told by the part's name; `bundle-mismatch`, the sealed request speaks of another bundle; or those of `capture.sealing.age`.
"""

import hashlib
import io
import os
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

from capture.errors import AgeError, BundleError
from capture.sealing import contents
from capture.sealing.age import open_sealed, open_stream, seal
from capture.sealing.archive import Entry, stream_archive
from capture.sealing.contents import MANIFEST, REQUEST_PART, SIGNATURE, Manifest, Part, SealedPhoto, SealedRequest
from capture.sealing.files import write_new
from capture.sealing.keys import Identity, Recipient, SigningKey, VerifyingKey
from capture.sealing.records import from_json, shown, to_json

_END_RECORD = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16
_MAX_DIRECTORY = 64 * 1024
_MAX_ENTRIES = contents.MAX_PHOTOS + 3
_PIECE = 64 * 1024
_UNREADABLE = (zipfile.BadZipFile, NotImplementedError, ValueError, RuntimeError, EOFError, struct.error)


@dataclass(frozen=True)
class SealedBundle:
    """All of a bundle but its photos: the bytes of bundle.json, bundle.sig and request.json.age."""

    manifest_json: bytes
    signature: bytes
    request_part: bytes

    @property
    def manifest(self) -> Manifest:
        return from_json(Manifest, self.manifest_json, MANIFEST, canonical=True)


def seal_bundle(
    request: SealedRequest, photo_parts: Sequence[Part], recipients: Sequence[Recipient], key: SigningKey, created: datetime
) -> SealedBundle:
    """Seal the request, list it with the photos' sealed parts in the manifest, and sign that."""
    if [part.name for part in photo_parts] != [photo.part for photo in request.photos]:
        raise ValueError("the sealed parts are not those of the request's photos")
    request_part = seal(to_json(request), recipients)
    manifest = Manifest(
        bundle=request.bundle,
        request=request.request,
        receipt=request.receipt,
        practice=request.practice,
        recipients=tuple(recipient.fingerprint for recipient in recipients),
        created=created,
        parts=(Part.of(REQUEST_PART, request_part), *photo_parts),
    )
    manifest_json = to_json(manifest)
    return SealedBundle(manifest_json, key.sign(manifest_json), request_part)


def zip_entries(bundle: SealedBundle, photos: Sequence[Callable[[], Iterable[bytes]]]) -> list[Entry]:
    """The files of the bundle's ZIP. `photos` reads the sealed photos, one each, in the manifest's order."""
    manifest = bundle.manifest
    held = ((MANIFEST, bundle.manifest_json), (SIGNATURE, bundle.signature), (REQUEST_PART, bundle.request_part))
    entries = [Entry(name, len(data), manifest.created, partial(iter, [data])) for name, data in held]
    named = zip(manifest.photo_parts, photos, strict=True)
    return entries + [Entry(part.name, part.size, manifest.created, read) for part, read in named]


def stream_zip(bundle: SealedBundle, photos: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """The bundle as a ZIP, stored not compressed, piece by piece. `photos` gives the sealed photos in the manifest's order."""
    return stream_archive(zip_entries(bundle, [partial(iter, pieces) for pieces in photos]))


def read_manifest(manifest_json: bytes, signature: bytes, signer: VerifyingKey) -> Manifest:
    """The manifest, once it is known to be the signer's. Nothing of it is read before."""
    if not signer.verifies(signature, manifest_json):
        raise BundleError(
            f"{MANIFEST} or {SIGNATURE} was altered, or another server signed this bundle.",
            code="bundle-signature",
            hint=f"the pinned signer has the fingerprint {signer.fingerprint}; compare it with the service's by phone",
        )
    return from_json(Manifest, manifest_json, MANIFEST, canonical=True)


def read_request(request_part: bytes, manifest: Manifest, identities: Sequence[Identity]) -> SealedRequest:
    """Open request.json.age, and check that it speaks of this very bundle and its photos."""
    try:
        request_json = open_sealed(request_part, identities)
    except AgeError as error:
        if error.code != "age-no-match":
            raise
        raise AgeError(
            "This bundle is not sealed to this identity.",
            code=error.code,
            hint=f"it is sealed to {' and to '.join(manifest.recipients)}",
        ) from None
    request = from_json(SealedRequest, request_json, "request.json")
    for name in ("bundle", "request", "practice", "receipt"):
        if getattr(request, name) != getattr(manifest, name):
            raise BundleError(f"The sealed request belongs to another {name}.", code="bundle-mismatch")
    if [photo.part for photo in request.photos] != [part.name for part in manifest.photo_parts]:
        raise BundleError("The sealed request names other photos than the bundle holds.", code="bundle-mismatch")
    return request


def open_photo(source: IO[bytes], photo: SealedPhoto, identities: Sequence[Identity]) -> bytes:
    """The clean JPEG in a sealed photo, checked against the sealed request."""
    target = io.BytesIO()
    open_stream(source, target, identities)
    jpeg = target.getvalue()
    if len(jpeg) != photo.size or hashlib.sha256(jpeg).hexdigest() != photo.sha256:
        raise BundleError(f"{photo.part} does not hold the photo that the sealed request speaks of.", code="bundle-altered")
    return jpeg


@dataclass(frozen=True)
class OpenedBundle:
    """A bundle whose signature, parts and request are right. `damaged` tells, by name, of photos left out (only where allowed).

    `read` gives the clean JPEG of one of `photos`, as long as the bundle is open.
    """

    manifest: Manifest
    request: SealedRequest
    photos: tuple[SealedPhoto, ...]
    damaged: tuple[str, ...]
    read: Callable[[SealedPhoto], bytes]


@contextmanager
def open_bundle(
    source: Path | IO[bytes], identities: Sequence[Identity], signer: VerifyingKey, *, allow_damaged: bool = False
) -> Iterator[OpenedBundle]:
    """Open a bundle's ZIP and check all of it but the insides of the photos, which `read` checks one by one.

    `allow_damaged` leaves out photos that are missing or altered, where everything else is right, instead of refusing the bundle.
    """
    if isinstance(source, Path):
        with source.open("rb") as file, open_bundle(file, identities, signer, allow_damaged=allow_damaged) as opened:
            yield opened
        return
    with _open_archive(source) as archive:
        entries = _entries(archive)
        manifest_json = _read_entry(archive, entries, MANIFEST, contents.MAX_JSON)
        manifest = read_manifest(manifest_json, _read_entry(archive, entries, SIGNATURE, 64), signer)
        problems = _check_parts(archive, entries, manifest)
        fatal = [error for name, error in problems.items() if name == REQUEST_PART or not allow_damaged]
        if fatal:
            raise BundleError(" ".join(error.sentence for error in fatal), code=fatal[0].code)
        request_part = _read_entry(archive, entries, REQUEST_PART, contents.MAX_JSON)
        request = read_request(request_part, manifest, identities)

        def read(photo: SealedPhoto) -> bytes:
            try:
                with archive.open(photo.part) as part:
                    return open_photo(part, photo, identities)
            except (zipfile.BadZipFile, EOFError):
                raise BundleError(f"{photo.part} was altered while it was read.", code="bundle-altered") from None

        whole = tuple(photo for photo in request.photos if photo.part not in problems)
        yield OpenedBundle(manifest, request, whole, tuple(problems), read)


@dataclass(frozen=True)
class Written:
    """One photo on disk. `new` is false where the very same file was there already."""

    path: Path
    part: str
    view: str
    new: bool


def write_opened(
    opened: OpenedBundle,
    folder: Path,
    photos: Sequence[SealedPhoto] | None = None,
    fit: Callable[[bytes], bytes] = lambda jpeg: jpeg,
) -> list[Written]:
    """Write the photos as JPEG files, each whole or not at all: all of them, or these, each as `fit` makes it.

    A different file of the same name is never overwritten.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    targets = [(photo, folder / opened.request.file_name(photo)) for photo in (opened.photos if photos is None else photos)]
    there = [_is_there(path, partial(_fitted, opened, photo, fit)) for photo, path in targets]
    written = []
    for (photo, path), same in zip(targets, there, strict=True):
        if not same:
            write_new(path, fit(opened.read(photo)))
        written.append(Written(path, photo.part, photo.view, new=not same))
    return written


def _fitted(opened: OpenedBundle, photo: SealedPhoto, fit: Callable[[bytes], bytes]) -> bytes:
    return fit(opened.read(photo))


def _is_there(path: Path, jpeg: Callable[[], bytes]) -> bool:
    """Whether this photo is there already; another file in its place is an error."""
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file() or path.read_bytes() != jpeg():
        raise BundleError(f"{path.name} is there already and is not this photo.", code="file-exists", hint="choose an empty folder")
    return True


def _open_archive(file: IO[bytes]) -> zipfile.ZipFile:
    """The ZIP, once its end record shows a directory of a size that is safe to read, with nothing after it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_RECORD.size))
    end = file.read()
    if len(end) == _END_RECORD.size and end.startswith(b"PK\5\6"):
        _, disk, first_disk, entries, _, directory, offset, comment = _END_RECORD.unpack(end)
        sound = not (disk or first_disk or comment) and offset + directory + _END_RECORD.size == size
        if sound and entries <= _MAX_ENTRIES and directory <= _MAX_DIRECTORY:
            try:
                return zipfile.ZipFile(file)
            except _UNREADABLE:
                pass
    raise BundleError("This is not a bundle: it is not a ZIP file, or was cut short.", code="bundle-zip")


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files by name. Stored plainly, so that their sizes are what they are; no name twice."""
    entries = archive.infolist()
    for name, count in Counter(entry.filename for entry in entries).items():
        if count > 1:
            raise BundleError(f"{shown(name)} is in the bundle {count} times.", code="bundle-added")
    for entry in entries:
        plain = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
        if not plain or entry.flag_bits & ~0x808 or entry.orig_filename != entry.filename:  # 0x808: sizes behind, UTF-8 names
            raise BundleError(f"{shown(entry.filename)} is not stored plainly.", code="bundle-zip")
    return {entry.filename: entry for entry in entries}


def _read_entry(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    if name not in entries:
        raise BundleError(f"{name} is missing.", code="bundle-missing")
    if entries[name].file_size > limit:
        raise BundleError(f"{name} is too large.", code="bundle-zip")
    try:
        return archive.read(name)
    except _UNREADABLE:
        raise BundleError(f"{name} was altered.", code="bundle-altered") from None


def _check_parts(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], manifest: Manifest) -> dict[str, BundleError]:
    """What is wrong with the parts the manifest lists, by name. Anything it does not list is refused at once."""
    if added := sorted(entries.keys() - {MANIFEST, SIGNATURE} - {part.name for part in manifest.parts}):
        names = ", ".join(shown(name) for name in added[:5])
        raise BundleError(f"{names} was added: the signed manifest does not list it.", code="bundle-added")
    homes = {part.sha256: part.name for part in manifest.parts}
    problems = {}
    for part in manifest.parts:
        if part.name not in entries:
            problems[part.name] = BundleError(f"{part.name} is missing.", code="bundle-missing")
        elif (found := _digest(archive, entries[part.name])) != part.sha256:
            sentence = f"{part.name} holds what belongs in {homes[found]}." if found in homes else f"{part.name} was altered."
            problems[part.name] = BundleError(sentence, code="bundle-altered")
    return problems


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """The SHA-256 of a part; empty where it cannot be read to its end. Never larger than the file, for nothing is compressed."""
    digest = hashlib.sha256()
    try:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except _UNREADABLE:
        return ""
    return digest.hexdigest()

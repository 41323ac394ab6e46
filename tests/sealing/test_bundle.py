"""Bundles: whole ones open, and every way to spoil one is told by name."""

import io
import json
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from capture.errors import AgeError, BundleError
from capture.sealing import age
from capture.sealing.bundle import OpenedBundle, SealedBundle, open_bundle, read_manifest, seal_bundle, stream_zip, write_opened
from capture.sealing.contents import MANIFEST, REQUEST_PART, SIGNATURE, Manifest, Part, SealedRequest
from capture.sealing.keys import Identity, SigningKey
from capture.sealing.records import from_json, to_json

from .builders import AT, Made, make_bundle, make_photo, make_request, rezip, unzip
from .conftest import NodeRun

Files = dict[str, bytes]
PHOTO = "photos/02-close-up.jpg.age"


@pytest.fixture(scope="module")
def made() -> Made:
    return make_bundle()


def refusal(made: Made, data: bytes, *, allow_damaged: bool = False) -> BundleError:
    with (
        pytest.raises(BundleError) as refused,
        open_bundle(io.BytesIO(data), [made.identity], made.key.verifying_key, allow_damaged=allow_damaged),
    ):
        pytest.fail("it opened")
    return refused.value


def spoilt(made: Made, spoil: Callable[[Files], object]) -> BundleError:
    files = unzip(made.zip())
    spoil(files)
    return refusal(made, rezip(list(files.items())))


def flipped(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_whole_bundle_opens_with_either_identity(made: Made, tmp_path: Path) -> None:
    """What was sealed comes out, with the staff identity and with the recovery identity alike."""
    path = made.save(tmp_path)
    for identity in (made.identity, made.recovery):
        with open_bundle(path, [identity], made.key.verifying_key) as opened:
            assert {photo.part: opened.read(photo) for photo in opened.photos} == made.jpegs
            assert opened.request == make_request(opened.request.photos)
            assert opened.damaged == ()
            assert opened.manifest.recipients == (made.identity.recipient.fingerprint, made.recovery.recipient.fingerprint)


def test_manifest_shows_no_patient_data(made: Made) -> None:
    """Outside the seals stand the practice, random ids, times, sizes and hashes, and nothing about the patient."""
    outside = [made.bundle.manifest_json, *(name.encode() for name in unzip(made.zip()))]
    for secret in (b"Ada", b"Byron", b"12345", b"forearm", b"itches", b"Okafor", b"daughter", b"4000"):
        assert not any(secret in text for text in outside)
    assert not any(secret in made.zip() for secret in (b"Ada Byron", b"EMIS 12345", b"Sam Okafor", b"my daughter"))
    shown = "bundle created format parts practice receipt recipients request version"
    assert json.loads(made.bundle.manifest_json).keys() == set(shown.split())


@pytest.mark.parametrize("name", [PHOTO, "photos/03-close-up-scale.jpg.age", REQUEST_PART])
def test_altered_part_is_named(made: Made, name: str) -> None:
    """SECURITY 36: one flipped bit in a part is told by that part's name, before anything is opened."""
    error = spoilt(made, lambda files: files.update({name: flipped(files[name], 500)}))
    assert (error.code, error.sentence) == ("bundle-altered", f"{name} was altered.")


def test_part_of_another_length_is_named(made: Made) -> None:
    """SECURITY 36: a part cut short or drawn out is an altered part."""
    whole = made.sealed[1]
    for other in (whole[:-1], whole + b"\0", b""):
        error = spoilt(made, lambda files, other=other: files.update({PHOTO: other}))  # type: ignore[misc]
        assert (error.code, error.sentence) == ("bundle-altered", f"{PHOTO} was altered.")


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, PHOTO, REQUEST_PART])
def test_missing_part_is_named(made: Made, name: str) -> None:
    """SECURITY 36: whatever is missing is told by its name."""
    error = spoilt(made, lambda files: files.pop(name))
    assert (error.code, error.sentence) == ("bundle-missing", f"{name} is missing.")


@pytest.mark.parametrize("name", ["photos/04-extra.jpg.age", "../../etc/passwd", "/tmp/x", "photos\\x", "notes.txt", "photos/"])
def test_added_part_is_named(made: Made, name: str) -> None:
    """SECURITY 36: whatever the signed manifest does not list is told by its name; nothing is ever written under it."""
    error = spoilt(made, lambda files: files.update({name: b"more"}))
    assert error.code == "bundle-added"
    assert name.replace("\\", "\\\\") in error.sentence


def test_swapped_parts_are_named(made: Made) -> None:
    """SECURITY 36: two photos in each other's place are told, each by name."""
    other = "photos/01-context.jpg.age"
    error = spoilt(made, lambda files: files.update({PHOTO: files[other], other: files[PHOTO]}))
    assert error.code == "bundle-altered"
    assert f"{PHOTO} holds what belongs in {other}." in error.sentence
    assert f"{other} holds what belongs in {PHOTO}." in error.sentence


def test_names_in_errors_are_safe_to_print(made: Made) -> None:
    """A hostile name cannot drive a terminal: control characters are shown escaped, and long names cut."""
    error = spoilt(made, lambda files: files.update({"\x1b[2J" + "a" * 300: b""}))
    assert error.code == "bundle-added"
    assert "\x1b" not in error.sentence
    assert len(error.sentence) < 200


def test_same_name_twice_is_refused(made: Made) -> None:
    """SECURITY 36: two files of one name would be read differently by different tools."""
    files = list(unzip(made.zip()).items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = refusal(made, rezip([*files, (PHOTO, b"other")]))
    assert (error.code, error.sentence) == ("bundle-added", f"{PHOTO} is in the bundle 2 times.")


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
@pytest.mark.parametrize("at", [0, 40, -1])
def test_altered_manifest_fails_its_signature(made: Made, name: str, at: int) -> None:
    """SECURITY 36: no bit of the manifest or its signature can change."""
    error = spoilt(made, lambda files: files.update({name: flipped(files[name], at)}))
    assert error.code == "bundle-signature"
    assert made.key.verifying_key.fingerprint in (error.hint or "")


def test_bundle_of_another_server_is_refused(made: Made) -> None:
    """Anyone can seal to a public key: a bundle that another key signed is not opened, though it is sealed to this identity."""
    forged = make_bundle(identity=made.identity)
    assert refusal(made, forged.zip()).code == "bundle-signature"


def test_bundle_for_others_says_whose_it_is(made: Made) -> None:
    """An identity it is not sealed to is told so, and to which recipients it is sealed."""
    with (
        pytest.raises(AgeError, match="not sealed to this identity") as refused,
        open_bundle(io.BytesIO(made.zip()), [Identity.generate()], made.key.verifying_key),
    ):
        pytest.fail("it opened")
    assert made.identity.recipient.fingerprint in (refused.value.hint or "")


def test_request_sealed_in_another_way_is_refused(made: Made) -> None:
    """A request under a passphrase, as a mistaken writer might make it, is refused by the name of that way."""
    part = age.seal_with_passphrase(b"{}", "secret", log_n=1, armor=False)
    manifest = replace(made.bundle.manifest, parts=(Part.of(REQUEST_PART, part), *made.bundle.manifest.parts[1:]))
    bundle = SealedBundle(to_json(manifest), made.key.sign(to_json(manifest)), part)
    error = refusal(made, b"".join(stream_zip(bundle, [[part] for part in made.sealed])))
    assert (error.code, "scrypt" in error.sentence) == ("age-unsupported", True)


def resigned(made: Made, **changes: object) -> bytes:
    """The bundle with another manifest, signed by the very server: what a compromised store could mix from true parts."""
    manifest_json = to_json(replace(made.bundle.manifest, **changes))  # type: ignore[arg-type]
    bundle = SealedBundle(manifest_json, made.key.sign(manifest_json), made.bundle.request_part)
    return b"".join(stream_zip(bundle, [[part] for part in made.sealed]))


@pytest.mark.parametrize("name", ["bundle", "request", "receipt"])
def test_sealed_request_binds_the_bundle(made: Made, name: str) -> None:
    """SECURITY 36: a request sealed for another bundle is refused even under a good signature: replays are told."""
    error = refusal(made, resigned(made, **{name: "OTHER-1"}))
    assert (error.code, error.sentence) == ("bundle-mismatch", f"The sealed request belongs to another {name}.")


def test_sealed_request_binds_the_practice(made: Made) -> None:
    """SECURITY 36: a bundle of one practice cannot be passed off as another's."""
    practice = replace(made.bundle.manifest.practice, ods="B82002")
    assert refusal(made, resigned(made, practice=practice)).sentence == "The sealed request belongs to another practice."


def test_sealed_request_binds_the_count(made: Made) -> None:
    """SECURITY 36: a photo left out of manifest and ZIP together is missed by the sealed request."""
    manifest_json = to_json(replace(made.bundle.manifest, parts=made.bundle.manifest.parts[:-1]))
    bundle = SealedBundle(manifest_json, made.key.sign(manifest_json), made.bundle.request_part)
    error = refusal(made, b"".join(stream_zip(bundle, [[part] for part in made.sealed[:-1]])))
    assert error.code == "bundle-mismatch"
    assert "other photos" in error.sentence


@pytest.mark.parametrize("jpeg", [b"\xff\xd8 another photo", b"\xff\xd8 Context"])
def test_sealed_request_binds_the_clean_photos(made: Made, jpeg: bytes) -> None:
    """SECURITY 36: another photo, even of the same size, sealed by whoever knows the recipients, is told when it is opened."""
    sealed = (age.seal(jpeg, [made.identity.recipient]), *made.sealed[1:])
    parts = made.bundle.manifest.parts
    parts = (parts[0], Part.of(parts[1].name, sealed[0]), *parts[2:])
    manifest_json = to_json(replace(made.bundle.manifest, parts=parts))
    bundle = SealedBundle(manifest_json, made.key.sign(manifest_json), made.bundle.request_part)
    data = b"".join(stream_zip(bundle, [[part] for part in sealed]))
    with open_bundle(io.BytesIO(data), [made.identity], made.key.verifying_key) as opened:
        with pytest.raises(BundleError, match="photos/01-context") as refused:
            opened.read(opened.photos[0])
        assert refused.value.code == "bundle-altered"
        assert opened.read(opened.photos[1]) == made.jpegs[PHOTO]


def test_damaged_photos_can_be_left_out(made: Made) -> None:
    """A flipped byte in a stored part costs that photo alone, where asked for: it is named and the others are served."""
    files = unzip(made.zip())
    files[PHOTO] = flipped(files[PHOTO])
    with open_bundle(io.BytesIO(rezip(list(files.items()))), [made.identity], made.key.verifying_key, allow_damaged=True) as opened:
        assert opened.damaged == (PHOTO,)
        assert {photo.part: opened.read(photo) for photo in opened.photos} == {
            name: jpeg for name, jpeg in made.jpegs.items() if name != PHOTO
        }
    files[REQUEST_PART] = flipped(files[REQUEST_PART])
    error = refusal(made, rezip(list(files.items())), allow_damaged=True)
    assert error.sentence == f"{REQUEST_PART} was altered."


def test_part_with_a_wrong_checksum_is_named(made: Made) -> None:
    """A byte flipped on the disk, under the ZIP's own checksum, is told by the part's name as well."""
    data = made.zip()
    assert refusal(made, flipped(data, data.index(made.sealed[1]) + 70_000)).sentence == f"{PHOTO} was altered."
    assert refusal(made, flipped(data, data.index(made.bundle.manifest_json) + 9)).sentence == f"{MANIFEST} was altered."


def test_part_altered_while_open_is_named(made: Made) -> None:
    """A file that changes between the check and the reading is refused by the part's name."""
    file = io.BytesIO(made.zip())
    with open_bundle(file, [made.identity], made.key.verifying_key) as opened:
        file.getbuffer()[file.getvalue().index(made.sealed[1]) + len(made.sealed[1]) - 1] ^= 1
        with pytest.raises(BundleError):
            opened.read(opened.photos[1])
        header = file.getvalue().index(PHOTO.encode()) - 30
        file.getbuffer()[header] ^= 1
        with pytest.raises(BundleError, match="was altered while it was read"):
            opened.read(opened.photos[1])


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip at all" * 10, b"PK\5\6" + bytes(18)])
def test_not_a_bundle_is_said_plainly(made: Made, data: bytes) -> None:
    """Bytes that are no ZIP, and an empty one, get a sentence and no traceback."""
    assert refusal(made, data).code in ("bundle-zip", "bundle-missing")


def test_every_truncation_is_refused(made: Made) -> None:
    """A download that stopped anywhere is never taken for a bundle."""
    data = made.zip()
    for end in (*range(0, len(data), 997), *range(len(data) - 700, len(data))):
        assert refusal(made, data[:end]).code == "bundle-zip"


def test_bytes_behind_or_before_are_refused(made: Made) -> None:
    """Nothing may follow the ZIP or stand before it: no second file hides in a bundle's."""
    assert refusal(made, made.zip() + b"\0").code == "bundle-zip"
    assert refusal(made, b"\0" + made.zip()).code == "bundle-zip"


def test_broken_directory_is_refused(made: Made) -> None:
    """Whatever byte of the ZIP's directory is flipped, the bundle opens as it was or is refused; nothing else happens."""
    data = made.zip()
    start = struct.unpack("<L", data[-6:-2])[0]
    opened = 0
    for at in range(start, len(data)):
        try:
            with open_bundle(io.BytesIO(flipped(data, at)), [made.identity], made.key.verifying_key) as bundle:
                assert {photo.part: bundle.read(photo) for photo in bundle.photos} == made.jpegs
                opened += 1
        except BundleError:
            continue
    assert opened < (len(data) - start) / 2


def test_compressed_parts_are_refused(made: Made) -> None:
    """Nothing is inflated, so nothing can be a bomb."""
    files = list(unzip(made.zip()).items())
    assert refusal(made, rezip(files, zipfile.ZIP_DEFLATED)).code == "bundle-zip"


def test_too_many_or_too_large_are_refused_unread(made: Made) -> None:
    """Limits hold before anything is read: on the number of files, and on the size of the texts."""
    assert refusal(made, rezip([(f"{number}", b"") for number in range(200)])).code == "bundle-zip"
    error = spoilt(made, lambda files: files.update({MANIFEST: bytes(2 << 20)}))
    assert (error.code, error.sentence) == ("bundle-zip", f"{MANIFEST} is too large.")


def test_signed_nonsense_is_refused(made: Made) -> None:
    """A good signature does not excuse a manifest that breaks the format, or spells it differently."""
    for text in (b"{}", b"[]", b"\xff", b"[" * 100_000, made.bundle.manifest_json + b"\n"):
        with pytest.raises(BundleError) as refused:
            read_manifest(text, made.key.sign(text), made.key.verifying_key)
        assert refused.value.code == "bundle-format"


def test_bundle_streams_in_flat_memory(made: Made) -> None:
    """However large the photos, the ZIP passes through in small pieces."""
    size = 64 << 20

    def pieces() -> Iterator[bytes]:
        for _ in range(size >> 16):
            yield bytes(1 << 16)

    written = 0
    tracemalloc.start()
    for piece in stream_zip(made.bundle, [pieces(), [], []]):
        written += len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written > size
    assert peak < 2 << 20


def test_same_bundle_gives_the_same_zip(made: Made) -> None:
    """Names, dates and order are fixed, so that a repeated download or delivery is the same file, and any unzip reads it."""
    assert made.zip() == made.zip()
    with zipfile.ZipFile(io.BytesIO(made.zip())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [MANIFEST, SIGNATURE, REQUEST_PART, *made.jpegs]
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 22, 10, 15, 0)}


def test_zip_wants_every_photo(made: Made) -> None:
    """A bundle is never streamed with a photo too few or too many."""
    for photos in (made.sealed[:-1], (*made.sealed, b"more")):
        with pytest.raises(ValueError, match="zip"):
            list(stream_zip(made.bundle, [[part] for part in photos]))


def test_bundle_is_not_made_of_other_parts(made: Made) -> None:
    """Sealing refuses parts that are not those of the request's photos, in their order."""
    photo = make_photo(1, "context", b"x")
    with pytest.raises(ValueError, match="not those of the request"):
        seal_bundle(make_request([photo]), [Part.of("photos/01-other.jpg.age", b"x")], [], made.key, AT)


def test_photos_are_written_once_and_never_over_another(made: Made, tmp_path: Path) -> None:
    """Opening twice writes once; a different file of the same name stops it before anything is written, and stays."""
    folder = tmp_path / "referrals" / "today"

    def write() -> list[tuple[str, bool]]:
        with open_bundle(io.BytesIO(made.zip()), [made.identity], made.key.verifying_key) as opened:
            return [(written.path.name, written.new) for written in write_opened(opened, folder)]

    names = [
        "2026-11-22_left-forearm_context_1of3.jpg",
        "2026-11-22_left-forearm_close-up_2of3.jpg",
        "2026-11-22_left-forearm_close-up-scale_3of3.jpg",
    ]
    assert write() == [(name, True) for name in names]
    assert [(folder / name).read_bytes() for name in names] == list(made.jpegs.values())
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert write() == [(name, False) for name in names]

    (folder / names[0]).unlink()
    (folder / names[2]).write_bytes(b"another photo")
    with pytest.raises(BundleError, match="is there already") as refused:
        write()
    assert refused.value.code == "file-exists"
    assert not (folder / names[0]).exists()
    assert (folder / names[2]).read_bytes() == b"another photo"


def test_nothing_is_written_through_a_link(made: Made, tmp_path: Path) -> None:
    """A symbolic link that waits under a photo's name is not followed, even where it leads to nothing."""
    (tmp_path / "2026-11-22_left-forearm_context_1of3.jpg").symlink_to(tmp_path / "elsewhere")
    with (
        open_bundle(io.BytesIO(made.zip()), [made.identity], made.key.verifying_key) as opened,
        pytest.raises(BundleError, match="is there already"),
    ):
        write_opened(opened, tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def saved_as(opened: OpenedBundle) -> str:
    return opened.request.file_name(opened.photos[0])


@pytest.mark.parametrize(
    ("side", "site", "name"),
    [
        ("", "Back of forearm", "2026-11-22_back-of-forearm_context_1of3.jpg"),
        ("", "../../etc/passwd\0", "2026-11-22_etc-passwd_context_1of3.jpg"),
        ("", "皮膚", "2026-11-22_photo_context_1of3.jpg"),
        ("right", "Cöccyx" * 50, f"2026-11-22_right-{('coccyx' * 10)[:54]}_context_1of3.jpg"),
    ],
)
def test_file_names_keep_to_plain_characters(side: str, site: str, name: str) -> None:
    """SECURITY 22: whatever a field holds, the name to save under has only letters, digits, hyphen and underscore."""
    made = make_bundle(request=lambda request: replace(request, side=side, site=site))
    with open_bundle(io.BytesIO(made.zip()), [made.identity], made.key.verifying_key) as opened:
        assert saved_as(opened) == name


def test_the_page_saves_under_the_same_names(node: NodeRun) -> None:
    """A photo has one name, whether the browser saves it or the command line does."""
    for side, site in (("left", "forearm"), ("", "皮膚"), ("", "a\tb/c"), ("right", "Cöccyx ½ ﬁn" * 9), ("", "x" * 59 + " y")):
        request = make_request([make_photo(1, "context", b"1"), make_photo(2, "close-up", b"2")], side=side, site=site)
        asked = {"side": side, "site": site, "submitted_at": "2026-11-22T10:15:00Z"}
        answer = node("names.mjs", request=asked, view="close-up", number=2, total=2)
        assert answer == request.file_name(request.photos[1])


def test_request_round_trips(made: Made) -> None:
    """The sealed request says after opening exactly what it said before, accents and missing values included."""
    request = make_request([replace(make_photo(1, "context", b"x"), taken_at=None)], snomed=None, side="", note='"\\\n\u2028')
    assert from_json(SealedRequest, to_json(request), "request.json") == request
    assert from_json(Manifest, made.bundle.manifest_json, MANIFEST, canonical=True) == made.bundle.manifest


def test_sealing_knows_neither_flask_nor_sql() -> None:
    """Everything here loads without the web framework, the database or the storage client."""
    code = (
        "import sys, capture.sealing.bundle; print(sorted({'flask', 'sqlalchemy', 'boto3', 'PIL', 'werkzeug'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "[]\n"


def test_signing_key_is_the_only_way_to_a_signature() -> None:
    """Two keys never sign alike, and a signature of another length verifies nothing."""
    one, other = SigningKey.generate(), SigningKey.generate()
    assert one.verifying_key.verifies(one.sign(b"x"), b"x")
    assert not one.verifying_key.verifies(other.sign(b"x"), b"x")
    assert not one.verifying_key.verifies(b"", b"x")

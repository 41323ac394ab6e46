"""No plaintext photo ever reaches a disk (SECURITY 15): watched from outside, in everything the server and its children do."""

import contextlib
import io
import json
import re
import secrets
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from capture.photos.sample import sample_photo
from tests.photos.corpus import insert, segment
from tests.system.server import CAPTURE, Patient, children, running
from tests.system.trace import Seen, read_trace, tracer

CANARY = secrets.token_hex(24).encode()
SIZE = 9_000_000
BLOCK = (173, 61, 118)
SPOOLING = (
    sys.executable,
    "-c",
    "import sys; from capture.web import limits; del limits.MemoryRequest._get_file_stream; from capture.cli import main; main()",
)
"""The same server, but that Werkzeug keeps uploads where it would by itself."""


def large_photo() -> bytes:
    """9 MB: a phone's photo with a block of one colour, the canary in a comment, and again and again behind the picture."""
    picture = Image.open(io.BytesIO(sample_photo("context", size=(2400, 1800), quality=93)))
    ImageDraw.Draw(picture).rectangle((800, 800, 1200, 1200), fill=BLOCK)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=93)
    photo = insert(buffer.getvalue(), segment(0xFE, CANARY))
    return photo + (CANARY * (SIZE // len(CANARY) + 1))[: SIZE - len(photo)]


def pixels(jpeg: bytes) -> bytes:
    """A run of the block's pixels, as every decoder would have it in memory."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        run_of = picture.convert("RGB").crop((900, 1000, 940, 1001)).tobytes()
    assert max(abs(got - want) for got, want in zip(run_of, BLOCK * 40, strict=True)) < 6
    return run_of


def slices(data: bytes, count: int = 40, size: int = 24) -> list[bytes]:
    """Pieces of the data from all over it."""
    step = len(data) // (count + 1)
    return [data[at : at + size] for at in range(step, step * count + 1, step)]


def descriptors(pid: int) -> list[str]:
    """What a process holds open; one that is closed meanwhile is not held."""
    names = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(str(link.readlink()))
    return names


class Journey:
    """A journey with large photos under strace, and what it left behind."""

    def __init__(self, folder: Path, program: tuple[str, ...]) -> None:
        self.var, trace = folder / "var", folder / "trace"
        self.photo = large_photo()
        refused = b"GIF89a" + CANARY * (SIZE // len(CANARY))
        with running(self.var, program=[*tracer(trace), *program]) as server:
            patient = Patient(server.port, server.tour["patient_link"])
            patient.come_in()
            assert patient.photo("context", self.photo).status == 201
            shown = patient.photo("close-up", self.photo, html=True)
            assert shown.status == 201
            assert b"data:image/jpeg;base64," in shown.body  # the preview, from memory
            assert patient.photo("close-up-scale", refused).status == 422
            assert patient.pieces("close-up-scale", refused).status == 422
            assert patient.pieces("close-up-scale", self.photo).status == 204
            half = patient.about("context", "0" * 32)  # one that is begun, comes half and is never finished
            assert patient.tus("POST", "/uploads", length=2 * len(self.photo), about=half).status == 201
            assert patient.tus("PATCH", "/uploads/" + "0" * 32, self.photo[:524_288], offset=0).status == 204
            self.held = [name for pid in children(server.process.pid) for name in descriptors(pid)]
            limits = Path(f"/proc/{children(server.process.pid)[-1]}/limits").read_text()
            self.core = next(line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size"))
            patient.send("nothing to add")
        self.seen: Seen = read_trace(trace)
        trace.unlink()
        self.left = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.jpegs = self.opened(server.tour, folder)

    def opened(self, tour: dict[str, str], folder: Path) -> list[bytes]:
        """The clean photos that the practice gets, through the sealed parts that were stored."""
        from capture.sealing.age import open_sealed, open_with_passphrase
        from capture.sealing.keys import parse_identity_file

        file = open_with_passphrase(Path(tour["identity_file"]).read_bytes(), tour["passphrase"])
        identities = parse_identity_file(file.decode()).identities
        sealed = [path.read_bytes() for path in (folder / "var/blobs").rglob("*.age")]
        return [open_sealed(part, identities) for part in sealed]

    def found(self) -> set[str]:
        """The files that held any of it, at any time: as it was sent, as it was cleaned, or as pixels."""
        needles = [CANARY, *slices(self.photo), pixels(self.photo)]
        for jpeg in self.jpegs:
            needles += [jpeg[:24], *slices(jpeg), pixels(jpeg)]
        held = {**self.seen.written, **{str(path): data for path, data in self.left.items()}}
        return {path for path, data in held.items() if any(needle in data for needle in needles)}


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    return Journey(tmp_path_factory.mktemp("memory"), CAPTURE)


def test_no_file_ever_held_the_photo(journey: Journey) -> None:
    """Nothing that the server or its children ever wrote to a file holds a photo: as sent, as cleaned, as pixels (SECURITY 15)."""
    assert len(journey.jpegs) == 3
    assert sum(map(len, journey.seen.written.values())) > 2 * len(journey.jpegs[0])  # the sealed parts were seen being written
    assert journey.found() == set()


def test_only_our_own_files_are_opened_for_writing(journey: Journey) -> None:
    """Database, keys, sealed parts, the ends of audit chains and the journal are all that is opened for writing (15).

    No temporary file is, but the one that is renamed to become the journal.
    """
    elsewhere = {path for path in journey.seen.opened | set(journey.seen.written) if "/__pycache__/" not in path}
    names = ("capture.db", "keys/", "demo/", "blobs/", "audit-heads.log", "journal.log")
    allowed = tuple(str(journey.var / name) for name in names)
    left = {path for path in elsewhere if not path.startswith(allowed)} - {str(journey.var.with_name("server.log"))}
    begun = {path for path in left if re.fullmatch(re.escape(str(journey.var)) + r"/\.[0-9a-f]{16}\.part", path)}
    assert left == begun
    assert [json.loads(journey.seen.written[path].partition(b" ")[2])["n"] for path in begun] in ([], [0])


def test_no_data_moves_past_our_eyes(journey: Journey) -> None:
    """No call that strace cannot look into was used: no memfd, no sendfile, no splice, no io_uring (SECURITY 15)."""
    assert journey.seen.unseen == []


def test_no_deleted_file_is_held_open(journey: Journey) -> None:
    """While the photos were there no process held a file that has no name (SECURITY 15)."""
    assert journey.held
    assert [target for target in journey.held if target.endswith("(deleted)") or "memfd:" in target] == []


def test_a_crash_leaves_no_memory_behind(journey: Journey) -> None:
    """Core dumps are off: a crash would write the photo in memory to a file (SECURITY 15)."""
    assert journey.core == ["0", "0"]


def test_the_same_search_finds_a_server_that_spools(tmp_path: Path) -> None:
    """The search can fail: it finds the photo when uploads go where Werkzeug would put them, and the file is gone by then."""
    spooling = Journey(tmp_path, SPOOLING)
    found = spooling.found()
    assert found
    assert not any(path in found for path in map(str, spooling.left))
    assert not all(path.startswith(str(spooling.var)) for path in found)

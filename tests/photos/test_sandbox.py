"""The child can do nothing but compute, and its death costs one photo (SECURITY 17)."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from capture.errors import PhotoRefused, Unavailable
from capture.photos import Cleaner, Preset, confine, sandbox
from capture.photos.clean import clean
from capture.photos.sample import sample_photo

FORBIDDEN = {
    "open a file": "open('/etc/passwd')",
    "write a file": "open('/tmp/canary', 'w')",
    "open a socket": "__import__('socket').socket()",
    "start a program": "__import__('os').execv('/bin/true', ['true'])",
    "fork": "__import__('os').fork()",
    "signal the parent": "__import__('os').kill(__import__('os').getppid(), 9)",
    "look at a folder": "__import__('os').listdir('/')",
    "take 2 GB": "bytearray(2 << 30)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="the system call filter is Linux's; macOS has the limits alone")
@pytest.mark.parametrize("what", FORBIDDEN)
def test_confined_child_can_only_compute(what: str) -> None:
    """SECURITY 17: once confined, a process cannot open, connect, start, fork, signal or take more than its memory."""
    script = (
        "import os, socket; from capture.photos.confine import confine; confine(256 << 20, 5)\n"
        f"try:\n {FORBIDDEN[what]}\nexcept (OSError, MemoryError) as error:\n os.write(1, type(error).__name__.encode())"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, timeout=30, check=False)
    assert ran.stdout in {b"PermissionError", b"OSError", b"MemoryError"}


def test_every_kind_is_cleaned_inside_the_limits(cleaner: Cleaner) -> None:
    """SECURITY 17: all five kinds are decoded in a child that cannot open a file."""
    original = Image.open(io.BytesIO(sample_photo(size=(320, 240))))
    for name, kind in {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic"}.items():
        buffer = io.BytesIO()
        original.save(buffer, name)
        assert cleaner.clean(buffer.getvalue()).report.kind == kind


def test_child_that_dies_costs_one_photo() -> None:
    """SECURITY 17: a killed child refuses its photo; the next photo is cleaned."""
    cleaner = Cleaner(workers=1)
    try:
        cleaner.clean(sample_photo(size=(64, 48)))
        zygote = _zygotes(cleaner)[0]
        killed = threading.Timer(0.05, _kill_children, (zygote,))
        killed.start()
        with contextlib.suppress(PhotoRefused):  # whichever of the two is quicker
            cleaner.clean(sample_photo(size=(5000, 4000)))
        killed.join()
        assert cleaner.clean(sample_photo(size=(64, 48))).report.width == 64
    finally:
        cleaner.close()


def test_late_child_is_killed() -> None:
    """SECURITY 17: a photo that takes longer than its time is refused, and its child is gone."""
    photo = sample_photo(size=(4000, 3000))
    cleaner = Cleaner(workers=1, seconds=0.02)
    try:
        with pytest.raises(PhotoRefused) as refusal:
            cleaner.clean(photo)
        assert refusal.value.code == "too-slow"
        assert not _zygotes(cleaner)
    finally:
        cleaner.close()


def test_busy_workers_are_unavailable() -> None:
    """When all workers stay busy, the answer is 503 and not a wait without end."""
    cleaner = Cleaner(workers=0, seconds=0.05)
    with pytest.raises(Unavailable):
        cleaner.clean(b"")
    cleaner.close()
    with pytest.raises(Unavailable):
        cleaner.clean(b"")


def test_zygote_has_no_environment_and_no_descriptor_of_the_server(tmp_path: Path) -> None:
    """SECURITY 17: the child starts with nothing of the server's: no variable, no open file."""
    if not Path("/proc").exists():
        pytest.skip("needs /proc: run on Linux")
    os.environ["CAPTURE_CANARY"] = "secret"
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        cleaner = Cleaner(workers=1)
        try:
            cleaner.clean(sample_photo(size=(64, 48)))
            process = Path("/proc", str(_zygotes(cleaner)[0]))
            assert b"CAPTURE" not in (process / "environ").read_bytes()
            targets = [str(fd.readlink()) for fd in (process / "fd").iterdir()]
            assert all(target.startswith("pipe:") or target == "/dev/null" for target in targets)
        finally:
            cleaner.close()
            del os.environ["CAPTURE_CANARY"]


@pytest.mark.parametrize(
    "header",
    [
        {"report": "{}", "jpeg": 0},
        {"report": "not json", "jpeg": 0},
        {"nothing": 1},
    ],
)
def test_child_is_not_believed(header: dict[str, object]) -> None:
    """SECURITY 17: whatever a subverted child answers, only a picture that verifies comes through."""
    with pytest.raises(PhotoRefused) as refusal:
        sandbox._believed(header, b"", Preset(), b"")
    assert refusal.value.code == "not-clean"


def _zygotes(cleaner: Cleaner) -> list[int]:
    return [worker._process.pid for worker in list(cleaner._idle.queue) if worker._process]


def _kill_children(process: int) -> None:
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_refuses_what_it_does_not_know(machine: str) -> None:
    """The filter is a whole number of steps, kills another architecture and ends in a refusal."""
    program = confine._program(machine)
    steps = [program[at : at + 8] for at in range(0, len(program), 8)]
    assert len(program) % 8 == 0
    assert steps[2][4:] == (0x80000000).to_bytes(4, "little")
    assert steps[-1][4:] == (0x00050001).to_bytes(4, "little")


@pytest.mark.parametrize(("data", "answer"), [(b"a letter", "refused"), (sample_photo(size=(64, 48)), "report"), (None, None)])
def test_child_answers_once(data: bytes | None, answer: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child reads one photo and writes one answer. Run here without its limits, which would forbid measuring it."""
    asked, answered = io.BytesIO(), io.BytesIO()
    if data is not None:
        sandbox._send(asked, {"preset": {"max_bytes": 100_000, "max_side": 0}, "preview": False}, data)
        asked.seek(0)
    monkeypatch.setattr(confine, "confine", lambda _memory, _seconds: None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(asked))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(answered))
    code = sandbox._child(1 << 30, 5)
    answered.seek(0)
    if answer is None:
        assert code == sandbox._NO_PHOTO
        assert not answered.getvalue()
    else:
        assert code == 0
        assert answer in sandbox._receive(answered)[0]


def test_frame_that_is_too_large_is_not_read() -> None:
    """SECURITY 17: a child that announces more than any photo is not listened to."""
    with pytest.raises(ValueError, match="too large"):
        sandbox._receive(io.BytesIO(sandbox._LENGTHS.pack(1, 1 << 40)))


def test_codes_of_the_child_are_known_ones() -> None:
    """SECURITY 17: a code that is not in the list becomes "damaged", so that no text of the child reaches a page."""
    with pytest.raises(PhotoRefused) as refusal:
        sandbox._believed({"refused": "<script>"}, b"", Preset(), b"")
    assert refusal.value.code == "damaged"


@pytest.mark.parametrize("lie", [{"width": 65}, {"colour": "display-p3"}, {"kind": 3}, {"quality": {"sharpness": "x"}}])
def test_certificate_must_agree_with_the_picture(lie: dict[str, object]) -> None:
    """SECURITY 17: a certificate that does not fit the picture, or has other types, is refused."""
    source = sample_photo(size=(64, 48))
    photo = clean(source, Preset())
    report = json.loads(photo.report.to_json())
    header = {"report": json.dumps({**report, **lie}), "jpeg": len(photo.jpeg)}
    with pytest.raises(PhotoRefused) as refusal:
        sandbox._believed(header, photo.jpeg + photo.preview, Preset(), source)
    assert refusal.value.code == "not-clean"

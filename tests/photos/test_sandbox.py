"""The child can do nothing but compute, and its death costs one photo (SECURITY 17)."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from capture.errors import PhotoRefused, Unavailable
from capture.photos import Cleaner, Preset, sandbox
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

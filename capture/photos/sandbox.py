"""Photos are decoded in children that can do nothing but compute.

    web process ──pipe──▶ zygote (python -m capture.photos.sandbox; decoders imported, sees no photo)
                            └─ fork ─▶ child: confined, reads one photo, answers, exits; then the next is forked

Each worker is one zygote, so a photo has a child of its own and nothing is left of it for the next. The zygote is a new
program, not a fork of the web server: it starts with no environment, no descriptors but its pipes, and none of the server's
memory. A frame is two big-endian lengths (header, body), a JSON header, and the body. The parent keeps the wall clock, kills
what is late, and walks what comes back with `verify` before it believes it.
"""

import contextlib
import hashlib
import json
import os
import queue
import signal
import struct
import subprocess  # it starts this same Python and this same file, nothing else
import sys
import threading
from dataclasses import asdict, replace
from typing import IO, Any, cast

from capture.errors import PhotoRefused, Unavailable
from capture.photos.refusals import REFUSALS, refused
from capture.photos.report import CleanPhoto, Preset, Report

_LENGTHS = struct.Struct(">IQ")
_MAX_HEADER, _MAX_BODY = 1 << 20, 1 << 28
# All that the child has. Large pages save a few per cent of time; numpy's algebra, which is not used, would start threads.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "OPENBLAS_NUM_THREADS": "1"}
_NO_PHOTO = 3  # the child's exit code when the pipe was closed before a photo came


class Cleaner:
    """Cleans photos in confined children. Safe to share between threads.

    `workers` photos at once; `seconds` of wall clock and of processor time for each; `memory` bytes of data for each.
    """

    def __init__(self, *, workers: int = 2, seconds: float = 30, memory: int = 768 << 20) -> None:
        self._seconds, self._memory = seconds, memory
        self._closed = False
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(_Worker(memory, seconds))
        self._workers = workers

    def clean(
        self, untrusted_bytes: bytes | bytearray | memoryview, preset: Preset | None = None, *, preview: bool = False
    ) -> CleanPhoto:
        """Clean one photo. Raises PhotoRefused (code and sentence for a patient), or Unavailable when all stay busy."""
        if self._closed:
            raise Unavailable
        try:
            worker = self._idle.get(timeout=self._seconds)
        except queue.Empty:
            raise Unavailable from None
        try:
            return worker.clean(untrusted_bytes, preset or Preset(), preview=preview)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the children. A photo that is being cleaned is waited for."""
        self._closed = True
        for _ in range(self._workers):
            self._idle.get(timeout=2 * self._seconds).stop()


class _Worker:
    """One zygote, started when it is first needed and again after it has died."""

    def __init__(self, memory: int, seconds: float) -> None:
        self._memory, self._seconds = memory, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def clean(self, untrusted_bytes: bytes | bytearray | memoryview, preset: Preset, *, preview: bool) -> CleanPhoto:
        process = self._started()
        late = threading.Event()
        clock = threading.Timer(self._seconds, self._kill, (process, late))
        clock.start()
        try:
            _send(cast("IO[bytes]", process.stdin), {"preset": asdict(preset), "preview": preview}, untrusted_bytes)
            header, body = _receive(cast("IO[bytes]", process.stdout))
        except (OSError, EOFError, ValueError):  # the child died, and its zygote after it
            self.stop()
            raise refused("too-slow" if late.is_set() else "damaged") from None
        finally:
            clock.cancel()
        return _believed(header, body, preset, untrusted_bytes)

    def stop(self) -> None:
        """End the zygote and its child."""
        if self._process:
            self._kill(self._process, threading.Event())
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        self.stop()
        command = [sys.executable, "-I", "-m", "capture.photos.sandbox", str(self._memory), str(self._seconds)]
        self._process = subprocess.Popen(  # noqa: S603 — a fixed command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            close_fds=True,
            pipesize=1 << 20,
            start_new_session=True,
        )
        return self._process

    @staticmethod
    def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
        late.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                pipe and pipe.close()


def _believed(header: dict[str, Any], body: bytes, preset: Preset, untrusted_bytes: bytes | bytearray | memoryview) -> CleanPhoto:
    """The child's answer, checked: it has decoded hostile bytes and may say anything."""
    from capture.photos.verify import verify

    if "refused" in header:
        raise refused(header["refused"] if header["refused"] in REFUSALS else "damaged")
    try:
        report = Report.from_json(header["report"])
        jpeg, preview = body[: header["jpeg"]], body[header["jpeg"] :]
        verified = verify(jpeg, preset)
        if preview:
            verify(preview, Preset(max_side=640))
        told = (verified.width, verified.height, "display-p3" if verified.has_profile else "srgb")
        if told != (report.width, report.height, report.colour):
            raise refused("not-clean")
        before, after = (hashlib.sha256(data).hexdigest() for data in (untrusted_bytes, jpeg))
        report = replace(report, sha256_before=before, sha256_after=after)
    except (KeyError, TypeError, ValueError):
        raise refused("not-clean") from None
    return CleanPhoto(jpeg, report, preview)


def _send(pipe: IO[bytes], header: dict[str, Any], *bodies: bytes | bytearray | memoryview) -> None:
    text = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(text), sum(map(len, bodies))) + text)
    for body in bodies:
        pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """One frame. Raises EOFError if the pipe closes first, ValueError if it is not a frame."""
    header_size, body_size = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size))
    if header_size > _MAX_HEADER or body_size > _MAX_BODY:
        raise ValueError("too large a frame")
    header = json.loads(_exactly(pipe, header_size))
    return dict(header), _exactly(pipe, body_size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _zygote(memory: int, seconds: float) -> None:
    """Fork one child per photo, one after the other; end when one dies or the pipe is closed."""
    from capture.photos.clean import warm

    warm()
    while True:
        child = os.fork()
        if child == 0:
            os._exit(_child(memory, seconds))
        _, status = os.waitpid(child, 0)
        if status:
            return


def _child(memory: int, seconds: float) -> int:
    """Confined: one photo in, one answer out. Returns the exit code."""
    from capture.photos.clean import clean
    from capture.photos.confine import confine

    confine(memory, int(seconds) + 1)
    try:
        header, untrusted_bytes = _receive(sys.stdin.buffer)
    except EOFError:
        return _NO_PHOTO
    try:
        photo = clean(untrusted_bytes, Preset(**header["preset"]), hashes=False, preview=header["preview"])
    except PhotoRefused as error:
        _send(sys.stdout.buffer, {"refused": error.code})
    else:
        answer = {"report": photo.report.to_json(), "jpeg": len(photo.jpeg)}
        _send(sys.stdout.buffer, answer, photo.jpeg, photo.preview)
    return 0


if __name__ == "__main__":
    _zygote(int(sys.argv[1]), float(sys.argv[2]))

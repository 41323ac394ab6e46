"""`capture collect` as a process: killed at any step, watching, ended by a signal, and how much memory it takes."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from capture.domain.requests import State
from capture.photos.sample import sample_photo
from tests import needs
from tests.builders import ARequest, bundle_of
from tests.cli.collecting import CAPTURE, Desk, Site, line_to, standing, write_keys
from tests.sealing import builders
from tests.sealing.builders import Made, make_bundle
from tests.system.server import environment, wait_until

STEPS = "rename,fsync,unlink,rmdir,sendto"
"""The system calls that matter: names that appear and go, what is made durable, what is asked of the server."""


def take_away(desk: Desk, taken: list[tuple[str, bytes]]) -> None:
    """What a system does that watches the folder: it takes whatever is there, at once."""
    for name, data in desk.files().items():
        taken.append((name, data))
        (desk.out / name).unlink()


def traced(desk: Desk, trace: Path, *more: str) -> int:
    """Run the command under strace, which notes its steps; its exit code."""
    strace = needs.program("strace", install="apt install strace")
    tracer = [strace, "-qq", "-o", str(trace), "-e", f"trace={STEPS}", *more]
    env = environment(desk.folder / "nowhere")
    return subprocess.run([*tracer, *CAPTURE, *desk.args()], env=env, check=False, capture_output=True, timeout=60).returncode


def prepare(desk: Desk, asked: ARequest, folder: Path) -> None:
    """A folder of its own for one run, for which the bundle waits."""
    folder.mkdir()
    desk.folder = folder
    desk.prepare()
    desk.put(asked, State.DELIVERED)


def test_what_is_synced_and_when(desk: Desk, tmp_path: Path) -> None:
    """Each file is synced before it gets its name, the folder after that, and only then the bundle is acknowledged, so that all of
    it holds when the power goes as well."""
    asked = desk.send()
    assert traced(desk, tmp_path / "trace", "-y", "-s", "300") == 0
    told = []
    for line in (tmp_path / "trace").read_text().splitlines():
        if found := re.match(r"fsync\(\d+<(.*)>\)", line):
            told.append(f"sync {Path(found[1]).name}")
        elif found := re.match(r'rename\("(.*)", "(.*)"\)', line):
            told.append(f"name {Path(found[2]).name}")
        elif found := re.match(r'sendto\(.*"(GET|POST) [^ ]*/(\w+)', line):
            told.append(f"{found[1]} {found[2]}")
    one, two = sorted(desk.photos(asked), key=lambda name: name[-9:])
    bundle = f"{bundle_of(desk.services, asked).id}.{asked.receipt}"
    steps = [f"sync {one}.part", f"sync {two}.part", f"sync {bundle}.staged", f"name {bundle}.ready", "sync .capture"]
    steps += [f"name {name}" for name in sorted((one, two))]
    assert told[told.index(steps[0]) :] == [*steps, "sync watched", "sync collected", "POST acknowledge"]


def test_a_kill_at_every_step(desk: Desk, tmp_path: Path) -> None:
    """Killed -9 at each step in turn, with a system that takes files as soon as they appear: once it has run again each file has
    come exactly once, whole, under its name; and a bundle that was acknowledged was there."""
    asked = desk.send()
    prepare(desk, asked, tmp_path / "whole")
    assert traced(desk, tmp_path / "trace") == 0
    steps = Counter(re.findall(r"^(\w+)\(", (tmp_path / "trace").read_text(), flags=re.M))
    assert steps.keys() == set(STEPS.split(","))
    for call, count in steps.items():
        for number in range(1, count + 1):
            prepare(desk, asked, tmp_path / f"{call}-{number}")
            code = traced(desk, Path(os.devnull), "-e", f"inject={call}:signal=KILL:when={number}")
            assert code == -signal.SIGKILL, (call, number)
            taken: list[tuple[str, bytes]] = []
            take_away(desk, taken)
            if desk.state(asked) == State.COLLECTED:
                assert dict(taken) == desk.photos(asked), (call, number)
            desk.collect()
            take_away(desk, taken)
            assert sorted(taken) == sorted(desk.photos(asked).items()), (call, number)
            assert (desk.state(asked), desk.left()) == (State.COLLECTED, [])


@contextmanager
def watching(desk: Desk, server: str = "") -> Iterator[subprocess.Popen[str]]:
    """The command with --watch until the end of the block."""
    args = [*CAPTURE, *desk.args("--watch", "--every", 1, server=server)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(args, env=environment(desk.folder / "nowhere"), text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watching(desk: Desk, number: int) -> None:
    """With --watch what is sent later comes too, until SIGTERM or Ctrl-C, which end it with 0."""
    with watching(desk) as process:
        first = desk.send()
        wait_until(lambda: len(desk.files()) == 2)
        second = desk.send()
        wait_until(lambda: desk.state(second) == State.COLLECTED)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (0, "")
    assert stdout.splitlines() == [f"collected {one.receipt}: 2 files" for one in (first, second)]


def test_watching_a_server_that_comes_back(desk: Desk, site: Site) -> None:
    """With --watch a server that is away, and a line that breaks, are told and waited for, then what waits comes."""
    asked = desk.send()
    with line_to(site.port) as line:
        line.cut_after, line.cuts = 0, 1
        with watching(desk, line.origin) as process:
            wait_until(lambda: len(desk.files()) == 2)
            process.terminate()
            stdout, stderr = process.communicate(timeout=20)
    assert stderr.startswith("error: The server does not answer: ")
    assert (process.returncode, stdout) == (0, f"collected {asked.receipt}: 2 files\n")


def test_watching_with_a_token_that_ends(desk: Desk) -> None:
    """With --watch a token that is refused ends it with 1: somebody must put that right, and is told by the exit code."""
    with watching(desk) as process:
        asked = desk.send()
        wait_until(lambda: desk.state(asked) == State.COLLECTED)
        desk.token("bundles:read")  # which ends the one before
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "does not take this token" in stderr


def test_the_bundle_at_hand_is_finished(desk: Desk, site: Site) -> None:
    """SIGTERM in the middle of a download lets that bundle come, and no other is begun."""
    first, second = desk.send(), desk.send()
    with line_to(site.port) as line, watching(desk, line.origin) as process:
        ended = [False]

        def end(data: bytes) -> bytes:
            if len(data) > 9_000 and not ended[0]:
                ended[0] = True
                process.terminate()
            return data

        line.change = end
        stdout, _ = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (0, f"collected {first.receipt}: 2 files\n")
    assert (desk.state(first), desk.state(second)) == (State.COLLECTED, State.DELIVERED)


def test_a_person_sees_how_far_it_is(desk: Desk) -> None:
    """On a terminal there is a bar for each bundle, with its receipt; what became of it stands on a line of its own."""
    asked = desk.send()
    master, slave = os.openpty()
    env = environment(desk.folder / "nowhere") | {"TERM": "xterm"}
    done = subprocess.run(
        [*CAPTURE, *desk.args()], env=env, check=True, stdout=subprocess.PIPE, stderr=slave, text=True, timeout=60
    )
    os.close(slave)
    with os.fdopen(master, "rb", buffering=0) as terminal:
        told = terminal.read(1 << 20).decode()
    assert re.search(rf"{asked.receipt}  \[#+\]  100%", told)
    assert done.stdout == f"collected {asked.receipt}: 2 files\n"


PEAK = """
from capture.cli import main
main(standalone_mode=False)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(folder: Path, made: Made, *more: str) -> int:
    """The most memory that collecting that bundle takes, in bytes."""
    (folder / "out").mkdir(parents=True)
    with standing() as stand:
        stand.bundles = [made]
        args = [*write_keys(folder, made), *more, "--fhir", "--out", str(folder / "out"), "--server", stand.origin]
        command, env = [sys.executable, "-c", PEAK, *args], environment(folder / "nowhere")
        told = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=120).stdout
        assert stand.acknowledged == [made.bundle.manifest.bundle]
    assert sum(path.stat().st_size for path in (folder / "out").glob("*.*")) > 2.3 * sum(map(len, made.jpegs.values()))
    return int(told.split()[-2]) * 1024


def test_memory_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting 20 photos of 5 MB, as JPEG or as PDF and as FHIR, takes within 20 MB the memory of collecting one."""
    monkeypatch.setattr(builders, "VIEWS", tuple(f"more-{number}" for number in range(1, 21)))
    jpeg = (jpeg := sample_photo(size=(400, 300))) + os.urandom(5_000_000 - len(jpeg))
    one, twenty = make_bundle([jpeg]), make_bundle([jpeg] * 20)
    least, *most = peak(tmp_path / "one", one), peak(tmp_path / "twenty", twenty), peak(tmp_path / "pdf", twenty, "--pdf")
    assert max(most) - least < 20_000_000, (least, most)

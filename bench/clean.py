"""Processor time and peak memory of cleaning a photo, beside the ways that people use, as ratios in one run.

The floor is Pillow's decode at 1:8, which must read every bit of a photo and does little else. Each figure is the least of
several rounds, in which all take turns, each in a process of its own; memory is that of a process (or of the program) that
cleans one photo. Aimed at on an upright JPEG of 12 megapixels: 2.2 times the floor, verified and with quality measured; turned
3.6 times; sealing at most a tenth of cleaning.
"""

import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

from capture.photos import Cleaner, Preset
from capture.photos.clean import clean, warm
from capture.photos.sample import sample_exif, sample_photo
from capture.photos.sandbox import ENVIRONMENT
from capture.photos.verify import verify
from capture.sealing.age import seal
from capture.sealing.keys import Identity

LARGE = Preset(max_bytes=100_000_000)
ROUNDS, RUNS = 3, 5


def photo(size: tuple[int, int], orientation: int = 1, kind: str = "JPEG") -> bytes:
    """A drawn photo with a lens' softness and a sensor's noise: about a third of a byte per pixel as JPEG."""
    im = Image.open(io.BytesIO(sample_photo("close-up scale", size=size, quality=97))).filter(ImageFilter.GaussianBlur(0.6))
    buffer = io.BytesIO()
    exif = sample_exif(orientation=orientation)
    if kind == "JPEG":
        im.save(buffer, kind, quality=95, subsampling="4:2:0", exif=exif)
    else:
        im.save(buffer, kind, quality=80, exif=exif)
    return buffer.getvalue()


def floor(data: bytes) -> None:
    im = Image.open(io.BytesIO(data))
    im.draft(im.mode, (im.width // 8, im.height // 8))
    im.load()


def decode(data: bytes) -> None:
    Image.open(io.BytesIO(data)).load()


def pillow(data: bytes) -> None:
    ImageOps.exif_transpose(Image.open(io.BytesIO(data))).save(io.BytesIO(), "JPEG", quality=95)


def ours(data: bytes) -> None:
    verify(clean(data, LARGE, hashes=False, preview=False).jpeg, LARGE)


SEALED_TO = [Identity.generate().recipient for _ in range(2)]  # a practice's own and its recovery recipient


def sealing(data: bytes) -> None:
    seal(data, SEALED_TO)


def ours_hashed(data: bytes) -> None:
    verify(clean(data, LARGE, preview=False).jpeg, LARGE)


def ours_fitted(data: bytes) -> None:
    verify(clean(data, Preset(), preview=False).jpeg, Preset())


IN_PROCESS: dict[str, Callable[[bytes], None]] = {
    "decode at 1:8 (floor)": floor,
    "decode": decode,
    "ours, verified": ours,
    "ours, verified and hashed": ours_hashed,
    "sealing alone": sealing,
    "ours, to 5 MB": ours_fitted,
    "Pillow transpose, save": pillow,
}
PROGRAMS = {
    "exiftool -all=": ["exiftool", "-all=", "-o", "{out}", "{in}"],
    "mat2": ["mat2", "--inplace", "{copy}"],
    "jpegtran -copy none": ["jpegtran", "-copy", "none", "{turn}", "-outfile", "{out}", "{in}"],
    "ImageMagick strip": ["convert", "{in}", "-auto-orient", "-strip", "{out}"],
}
PACKAGES = {"exiftool": "libimage-exiftool-perl", "mat2": "mat2", "jpegtran": "libjpeg-turbo-progs", "convert": "imagemagick"}


def cpu_in_process(names: Sequence[str], source: Path) -> dict[str, float]:
    """Milliseconds of each act, the least of several rounds. Each runs in a process of its own, so that none has another's heap."""
    least = dict.fromkeys(names, float("inf"))
    for _ in range(ROUNDS):
        for name in names:
            command = [sys.executable, __file__, "--times", name, str(source)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            least[name] = min(least[name], float(ran.stdout))
    return least


def times(act: Callable[[bytes], None], data: bytes) -> float:
    """Milliseconds of processor time, the least of several runs."""
    least = float("inf")
    for _ in range(RUNS):
        begun = time.process_time()
        act(data)
        least = min(least, (time.process_time() - begun) * 1000)
    return least


def cpu_of(command: list[str]) -> float:
    """Milliseconds of a program and its children."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    begun = used()
    subprocess.run(command, capture_output=True, check=False)
    return (used() - begun) * 1000


def peak(command: list[str]) -> float:
    """Peak memory in MB of a program: measured by a small process whose only child it is."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    ran = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    return int(ran.stdout) / (1 << 10 if sys.platform == "linux" else 1 << 20)


def is_installed(program: str) -> bool:
    """Whether the program is there, and for `convert` whether it is ImageMagick's."""
    if program != "convert":
        return bool(shutil.which(program))
    ran = subprocess.run(["sh", "-c", "convert -version"], capture_output=True, text=True, check=False)
    return ran.stdout.startswith("Version: ImageMagick")


def row(name: str, milliseconds: float, base: float, megabytes: float) -> None:
    print(f"  {name:26} {milliseconds:8.1f} ms {milliseconds / base:6.2f} × floor {megabytes:7.0f} MB")


def measure(title: str, data: bytes, folder: Path, suffix: str, turn: Sequence[str] = ()) -> None:
    """Print one photo's table. `turn` is what jpegtran has to be told; the others find it in the photo."""
    source = folder / f"photo{suffix}"
    source.write_bytes(data)
    print(f"{title}, {len(data) / 1e6:.1f} MB")
    took_by = cpu_in_process([name for name, act in IN_PROCESS.items() if suffix == ".jpg" or act is not floor], source)
    base = next(iter(took_by.values()))
    for name, took in took_by.items():
        row(name, took, base, peak([sys.executable, __file__, "--once", name, str(source)]))
    print(f"  sealing adds {took_by['sealing alone'] / took_by['ours, verified']:.1%} to ours, verified")
    for name, pattern in PROGRAMS.items():
        if not is_installed(pattern[0]):
            print(f"  {name:26} not installed: apt install {PACKAGES[pattern[0]]}")
            continue
        if suffix == ".heic" and pattern[0] in {"jpegtran", "convert"}:
            continue
        paths = {"in": str(source), "out": str(folder / f"out{suffix}"), "copy": str(folder / f"copy{suffix}")}
        command = [word for part in pattern for word in (turn if part == "{turn}" else [part.format(**paths)])]
        took, most = float("inf"), 0.0
        for number in range(3):
            shutil.copy(source, paths["copy"])
            Path(paths["out"]).unlink(missing_ok=True)
            if number:
                took = min(took, cpu_of(command))
            else:
                most = peak(command)
        row(name, took, base, most)


def sandbox(data: bytes) -> None:
    """Print what the child costs: wall clock of a whole `Cleaner.clean`, beside cleaning in this process."""
    cleaner = Cleaner(workers=1)
    cleaner.clean(data)
    walls: dict[str, Callable[[], object]] = {
        "in this process": lambda: ours(data),
        "in the sandbox": lambda: cleaner.clean(data, LARGE),
    }
    print("12 MP JPEG, wall clock")
    for name, act in walls.items():
        times = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            act()
            times.append(time.perf_counter() - begun)
        print(f"  {name:26} {min(times) * 1000:8.1f} ms")
    cleaner.close()


def main() -> None:
    warm()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:  # noqa: PTH112
        folder = Path(name)
        upright = photo((4032, 3024))
        measure("12 MP JPEG", upright, folder, ".jpg")
        measure("12 MP JPEG, turned", photo((4032, 3024), 6), folder, ".jpg", ["-rotate", "90"])
        measure("1 MP JPEG", photo((1152, 864)), folder, ".jpg")
        measure("48 MP JPEG", photo((8064, 6048)), folder, ".jpg")
        measure("12 MP HEIC", photo((4032, 3024), kind="HEIF"), folder, ".heic")
        sandbox(upright)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        IN_PROCESS[sys.argv[2]](Path(sys.argv[3]).read_bytes())
    elif sys.argv[1:2] == ["--times"]:
        print(times(IN_PROCESS[sys.argv[2]], Path(sys.argv[3]).read_bytes()))
    elif "GLIBC_TUNABLES" not in os.environ:  # everything is measured with the child's allocator
        os.execve(sys.executable, [sys.executable, __file__], {**os.environ, **ENVIRONMENT})
    else:
        main()

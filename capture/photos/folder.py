"""Photos of a folder, cleaned like those that patients send: the logic of `capture clean`."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from capture.errors import PhotoRefused
from capture.photos.refusals import refused
from capture.photos.report import Preset, Report
from capture.photos.sandbox import Cleaner

MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Cleaned:
    """What became of one file: `output` and `report`, or `error`."""

    source: Path
    output: Path | None
    report: Report | None
    error: PhotoRefused | None


def files_of(sources: Sequence[Path]) -> list[Path]:
    """The files that `sources` name: themselves, and for a folder every file in it and in its folders, in order of name."""
    return [
        file for source in sources for file in (sorted(filter(Path.is_file, source.rglob("*"))) if source.is_dir() else [source])
    ]


def clean_folder(sources: Sequence[Path], into: Path, preset: Preset | None = None, *, jobs: int = 2) -> Iterator[Cleaned]:
    """Clean each of the files `sources` into the folder `into`, `jobs` at a time.

    Yields one `Cleaned` per file, in order. An output is there whole or not at all, and never replaces a file: a second
    photo of the same name gets a number. Raises OSError if a source cannot be read or `into` cannot be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    cleaner = Cleaner(workers=jobs)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(lambda file: _clean(cleaner, file, into, preset or Preset()), sources)
    finally:
        cleaner.close()


def clean_file(source: Path, output: Path, preset: Preset | None = None) -> Report:
    """Clean one file into exactly `output`, replacing it. Raises PhotoRefused or OSError."""
    cleaner = Cleaner(workers=1)
    try:
        photo = cleaner.clean(_read(source), preset or Preset())
    finally:
        cleaner.close()
    with _whole(output.parent, photo.jpeg) as written:
        Path(written).replace(output)
    return photo.report


def _read(source: Path) -> bytes:
    if source.stat().st_size > MAX_BYTES:
        raise refused("too-many-bytes")
    return source.read_bytes()


def _clean(cleaner: Cleaner, source: Path, into: Path, preset: Preset) -> Cleaned:
    try:
        photo = cleaner.clean(_read(source), preset)
    except PhotoRefused as error:
        return Cleaned(source, None, None, error)
    with _whole(into, photo.jpeg) as written:
        return Cleaned(source, _named(written, into, source.stem), photo.report, None)


def _named(written: str, into: Path, stem: str) -> Path:
    """Link the finished file to the first free name; a link, unlike a rename, never replaces."""
    number = 1
    while True:
        output = into / (f"{stem}.jpg" if number == 1 else f"{stem}-{number}.jpg")
        try:
            os.link(written, output)
        except FileExistsError:
            number += 1
        else:
            return output


@contextlib.contextmanager
def _whole(folder: Path, data: bytes) -> Iterator[str]:
    """A finished, synced file beside its destination, gone afterwards unless it was renamed. Cleaned bytes only."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o600)
            yield file.name
        finally:
            Path(file.name).unlink(missing_ok=True)

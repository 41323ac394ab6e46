"""Whole folders, as `capture clean` takes them."""

import os
from pathlib import Path

import pytest

from capture.errors import PhotoRefused
from capture.photos import Preset, folder
from capture.photos.folder import clean_file, clean_folder, files_of
from capture.photos.verify import verify

from . import corpus


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos of the same name in two folders, and one file that is not a photo."""
    for name in ("a/one.jpg", "b/one.jpeg", "b/two.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"a letter" if name.endswith("txt") else corpus.everything())
    return tmp_path / "in"


def test_folder_is_cleaned_and_nothing_replaced(photos: Path, tmp_path: Path) -> None:
    """Every photo of a folder comes out under its own name or a numbered one; what is refused is named."""
    into = tmp_path / "out"
    results = list(clean_folder(files_of([photos]), into, Preset(max_bytes=50_000), jobs=2))
    assert [result.source.name for result in results] == ["one.jpg", "one.jpeg", "two.txt"]
    assert sorted(path.name for path in into.iterdir()) == ["one-2.jpg", "one.jpg"]
    for result in results[:2]:
        assert result.output
        assert result.report
        verify(result.output.read_bytes(), Preset(max_bytes=50_000))
        assert result.output.stat().st_mode & 0o777 == 0o600
    assert isinstance(results[2].error, PhotoRefused)
    assert results[2].error.code == "not-a-picture"


def test_again_into_the_same_folder_keeps_what_is_there(photos: Path, tmp_path: Path) -> None:
    """A second run never writes over a file that is there."""
    into = tmp_path / "out"
    into.mkdir()
    (into / "one.jpg").write_bytes(b"mine")
    list(clean_folder([photos / "a" / "one.jpg"], into))
    assert (into / "one.jpg").read_bytes() == b"mine"
    assert (into / "one-2.jpg").exists()


def test_one_file_into_one_name(photos: Path, tmp_path: Path) -> None:
    """One photo goes to exactly the name that was given, whole."""
    output = tmp_path / "clean.jpg"
    output.write_bytes(b"old")
    report = clean_file(photos / "a" / "one.jpg", output)
    assert verify(output.read_bytes(), Preset()).width == report.width
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.jpg", "in"]


def test_failed_writing_leaves_nothing(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails, no half photo is left behind."""

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        list(clean_folder([photos / "a" / "one.jpg"], tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_too_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused without being read, and a missing one is an error of the system."""
    monkeypatch.setattr(folder, "MAX_BYTES", 10)
    (tmp_path / "big.jpg").write_bytes(bytes(11))
    (result,) = clean_folder([tmp_path / "big.jpg"], tmp_path / "out")
    assert result.error
    assert result.error.code == "too-many-bytes"
    with pytest.raises(FileNotFoundError):
        list(clean_folder([tmp_path / "none.jpg"], tmp_path / "out"))

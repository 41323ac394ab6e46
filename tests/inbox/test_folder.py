"""A folder as an inbox: what a system that watches it finds, and what it never finds."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from capture.errors import SettingsError, Unavailable, Undeliverable
from capture.inbox import folder as folders
from capture.inbox import load_inboxes
from capture.inbox.base import BundleFiles
from capture.inbox.folder import FolderInbox
from tests.inbox.contract import FarInboxContract, Whole


@dataclass
class InFolder:
    """See There: a folder that a system watches, which passes over names that begin with a dot."""

    top: Path
    inbox: FolderInbox

    def fetch(self, bundle: BundleFiles) -> list[bytes]:
        seen = [path for path in self.top.rglob("*") if path.is_file() and not path.relative_to(self.top).as_posix().count("/.")]
        seen += list(self.top.parent.glob("away/**/*.zip"))
        assert not [path for path in seen if path.suffix != ".zip"]
        return [path.read_bytes() for path in seen if bundle.id in path.name]

    @contextmanager
    def away(self) -> Iterator[None]:
        gone = self.top.rename(self.top.with_name("away"))
        yield
        assert not self.top.exists(), "a folder that is away is not made"
        gone.rename(self.top)

    @contextmanager
    def losing(self) -> Iterator[None]:
        """A share whose server does what it is asked to, and is gone before it says so."""
        rename = Path.rename

        def cut(source: Path, target: Path) -> Path:
            rename(source, target)
            if target.suffix == ".zip":
                raise OSError(errno.EIO, "the line is cut")
            return target

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "rename", cut)
            yield


@pytest.fixture
def there(tmp_path: Path) -> InFolder:
    (tmp_path / "share").mkdir()
    return InFolder(tmp_path / "share", FolderInbox(f"{tmp_path}/share/{{ods}}/photos"))


class TestFolder(FarInboxContract):
    """The contract, for a folder."""


def test_names_and_modes(there: InFolder, bundle: BundleFiles) -> None:
    """A file is called after receipt and bundle, in the practice's own folder, and may be read by the folder's group."""
    there.inbox.put(bundle)
    path = there.top / bundle.practice / "photos" / f"{bundle.receipt}-{bundle.id}.zip"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o777 == 0o750
    assert "can be written into" in there.inbox.check()


def test_what_the_other_system_took_is_not_put_again(there: InFolder, bundle: BundleFiles) -> None:
    """A file that the system that watches took away is not put a second time, whatever became of the first try."""
    there.inbox.put(bundle)
    there.top.joinpath(bundle.practice, "photos", f"{bundle.receipt}-{bundle.id}.zip").unlink()
    there.inbox.put(bundle)
    assert there.fetch(bundle) == []


@pytest.mark.parametrize("step", ["mkdir", "open", "touch", "rename", "sync_folder"])
def test_a_worker_that_is_killed(
    there: InFolder, bundle: BundleFiles, whole: Whole, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The table of faults: ended at any step, the next try puts it once, and nothing is left of the first but its place."""

    class Killed(BaseException):
        pass

    def kill(*_given: object, **_named: object) -> None:
        raise Killed

    monkeypatch.setattr(folders, "LEFT_AFTER", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_given, **_named: None)
        place: object = folders if step == "sync_folder" else Path
        patch.setattr(place, step, kill)
        with pytest.raises(Killed):
            there.inbox.put(bundle)
    there.inbox.put(bundle)
    assert there.fetch(bundle) == [whole(bundle)]
    (day,) = (there.top / bundle.practice / "photos" / ".capture").iterdir()
    assert [path.name for path in day.iterdir()] == [bundle.id]
    assert [path.name for path in (day / bundle.id).iterdir()] == ["put"]


@pytest.mark.parametrize("killed", [False, True])
def test_another_file_of_the_name(there: InFolder, bundle: BundleFiles, whole: Whole, killed: bool) -> None:
    """A file that was changed, or that took the place of what a killed worker had ready, is told and not touched; once it is gone
    the bundle is put again.
    """
    path = there.top / bundle.practice / "photos" / f"{bundle.receipt}-{bundle.id}.zip"
    there.inbox.put(bundle)
    if killed:
        (mark,) = path.parent.glob(f".capture/*/*/{folders.MARK}")
        path.rename(mark.with_name(folders.ZIP))  # as it was before the last step
    path.write_bytes(whole(bundle)[:-1] + b"x")
    for _ in range(2):
        with pytest.raises(Undeliverable) as caught:
            there.inbox.put(bundle)
        assert caught.value.code == "folder-other"
    assert path.read_bytes().endswith(b"x")
    path.unlink()
    there.inbox.put(bundle)
    assert there.fetch(bundle) == [whole(bundle)]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "folder-full"),
        (errno.EDQUOT, "folder-full"),
        (errno.EROFS, "folder-read-only"),
        (errno.EACCES, "folder-read-only"),
        (errno.EIO, "folder-away"),
        (errno.ESTALE, "folder-away"),
    ],
)
def test_what_the_folder_answers(
    there: InFolder, bundle: BundleFiles, whole: Whole, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """A full disk, a folder that is read-only and other errors have codes; nothing is left of the try, and the next succeeds."""

    def fail(_file: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable) as caught:
            there.inbox.put(bundle)
    assert caught.value.code == code
    there.inbox.put(bundle)
    assert there.fetch(bundle) == [whole(bundle)]


def test_a_share_that_is_not_mounted(there: InFolder, tmp_path: Path, bundle: BundleFiles) -> None:
    """With `mounted` an empty folder in place of a share takes nothing, and a check says so."""
    inbox = FolderInbox(there.inbox.path, mounted=True)
    for act in (lambda: inbox.put(bundle), inbox.check, FolderInbox(f"{tmp_path}/none").check):
        with pytest.raises(Unavailable) as caught:
            act()
        assert caught.value.code == "folder-missing"
    assert list(there.top.iterdir()) == []


def test_what_was_put_long_ago_is_forgotten(there: InFolder, bundle: BundleFiles, other: BundleFiles) -> None:
    """What is kept in mind of a bundle goes after a month, so that it does not pile up."""
    there.inbox.put(bundle)
    (day,) = (there.top / bundle.practice / "photos" / ".capture").iterdir()
    there.inbox.put(replace(other, created=other.created + timedelta(days=30)))
    assert day.exists()
    there.inbox.put(replace(other, id="0" * 32, created=other.created + timedelta(days=31)))
    assert not day.exists()


def test_the_words_of_the_file(tmp_path: Path) -> None:
    """What docs/inboxes.md names is taken, and every word that is wrong is told at once."""

    def loaded(words: str) -> object:
        path = tmp_path / "inboxes.toml"
        path.write_text(f'[inboxes.elm]\nkind = "folder"\ntitle = "the folder"\n{words}')
        return load_inboxes(path)["elm"].inbox

    assert loaded('path = "/srv/photos/{ods}"\nmode = "0600"\nmounted = true') == FolderInbox("/srv/photos/{ods}", 0o600, True)
    with pytest.raises(SettingsError) as caught:
        loaded('path = "photos"\nmode = "rw"\nmounted = 1')
    assert len(caught.value.problems) == 3

"""The journal is kept short while lines are added to it: nobody waits for that, and nothing is lost by it (SECURITY 42)."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from typing import BinaryIO

import pytest

from capture.errors import BackupRefused, Unavailable
from capture.settings import ROOT
from capture.store.journal import MEMBER, PURGED, RESTORED, Journal, Reader
from capture.store.trimming import KEEP_LASTING, KEEP_LINKS, Trimmer
from capture.store.vault import Vault
from tests.store.conftest import NOW
from tests.store.noted import DAY, after, at, ending, numbers

BESIDE = """
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from capture.store.journal import Ending, Journal
from capture.store.trimming import Trimmer
from capture.store.vault import Vault
from tests.store.dying import die_at

journal, now = Journal(Path(sys.argv[1]), Vault(bytes(range(32)))), datetime(2026, 11, 22, 10, tzinfo=UTC)

def note(practice):
    for number in range(1, 31):
        journal.note([Ending(f"{year}-01-01T00:00:00+00:00", "submitted", practice, number, "r") for year in (2020, 2099)])

def trim():
    for day in count(1):
        Trimmer(journal).trim(now + timedelta(days=day))

def die(module, name, call):
    die_at(module, name, int(call))
    Trimmer(journal).trim(now + timedelta(days=62))

globals()[sys.argv[2]](*sys.argv[3:])
"""


def beside(journal: Journal, *what: object) -> subprocess.Popen[bytes]:
    """Another process that does something with the journal."""
    return subprocess.Popen([sys.executable, "-c", BESIDE, str(journal.path), *map(str, what)], cwd=ROOT)


def trimmed(journal: Journal, *days: float) -> list[int]:
    """Trim it so many days after NOW; what is left."""
    trimmer = Trimmer(journal)
    for day in days:
        trimmer.trim(NOW + day * DAY)
    return numbers(journal)


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.mark.parametrize(
    ("days", "left"),
    [
        ([59, 60], [0, 1, 2, 3, 4]),
        ([61, 61.5], [0, 1, 2, 3, 4]),
        ([61, 62], [0, 2, 3, 4]),
        ([5, 59, 61, 62], [0, 2, 3, 4]),
        ([401, 402], [2, 3, 4]),
        ([500, 0, 1], [0, 1, 2, 3, 4]),
        ([500, 0, 40, 41], [0, 1, 2, 3, 4]),
        ([500, 0, 61, 61.5], [0, 1, 2, 3, 4]),
    ],
)
def test_what_no_backup_needs_is_dropped(journal: Journal, days: Sequence[float], left: list[int]) -> None:
    """The end of a link goes after 60 days, a deletion after 400; a clock that ran ahead for less than a day drops nothing."""
    assert (KEEP_LINKS, KEEP_LASTING) == (60 * DAY, 400 * DAY)
    journal.note([ending(1), ending(2, PURGED), ending(3, RESTORED), ending(4)])
    assert trimmed(journal, *days) == left
    journal.note([ending(5)])
    assert at(journal).number == 5


def test_the_end_of_access_is_kept_as_long_as_a_deletion(journal: Journal) -> None:
    """That a member was removed or a token revoked is needed by a backup of any age that the journal covers."""
    old = at(journal)
    journal.note([ending(1, MEMBER), ending(2)])
    assert trimmed(journal, 300, 301) == [0, 1, 2]
    assert trimmed(journal, 401, 402) == [1, 2]
    assert after(journal, old) is None


def test_where_nothing_is_old_nothing_is_written(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in which every line is needed is looked at once a day, and stays the file that it was."""
    journal.note([ending(1), ending(2)])
    was, looks, trimmer, reader = journal.path.stat(), [], Trimmer(journal), journal.reader

    def look(file: BinaryIO) -> Reader:
        looks.append(1)
        return reader(file)

    monkeypatch.setattr(journal, "reader", look)
    for day in (1, 1.1, 1.9, 2, 2.5, 59):
        assert trimmer.trim(NOW + day * DAY) == 0
    assert len(looks) == 6 + 3  # the first line alone, and all of them
    assert (journal.path.stat().st_ino, journal.path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.log"]


def test_who_notes_waits_for_a_few_lines_only(journal: Journal, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the file is, it is locked only while its last few lines are copied; lines are added all the while."""
    journal.note([ending(number, PURGED) for number in range(1, 1001)] + [ending(number) for number in range(1001, 1501)])
    trimmer, real, other = Trimmer(journal), Vault.mac, Journal(journal.path, Vault(bytes(range(32))))
    trimmer.trim(NOW + 61 * DAY)
    done, held, added = 0, 0, 0

    def mac(self: Vault, purpose: str, text: str) -> str:
        nonlocal done, held, added
        if self is vault:
            done += 1
            held += is_locked(journal.path)
            if done % 100 == 0 and not is_locked(journal.path):
                added += 1
                other.note([ending(added, days=62)])
        return real(self, purpose, text)

    monkeypatch.setattr(Vault, "mac", mac)
    assert trimmer.trim(NOW + 62 * DAY) == 499
    monkeypatch.undo()
    assert done > 3000
    assert held < 100
    assert added > 20
    kept = [(line.ending.act, line.ending.number) for line in journal.read() if line.number]
    assert kept == [
        *((PURGED, one) for one in range(1, 1001)),
        ("submitted", 1500),
        *(("submitted", one + 1) for one in range(added)),
    ]


def test_processes_that_note_and_trim(journal: Journal) -> None:
    """Three processes that note and two that trim at the same time lose nothing and break nothing."""
    noting, trimming = [beside(journal, "note", practice) for practice in "abc"], [beside(journal, "trim") for _ in range(2)]
    assert [process.wait(120) for process in noting] == [0, 0, 0]
    for process in trimming:
        assert process.poll() is None
        process.kill()
        process.wait()
    found = [line.ending for line in journal.read() if line.number]
    for practice in "abc":
        assert [one.number for one in found if one.practice == practice and one.at > "2099"] == list(range(1, 31))
    assert numbers(journal) == sorted(set(numbers(journal)))
    assert len(found) < 180
    assert at(journal).number == 180


KILLED = (
    ("capture.store.trimming:Trimmer", "_size", 1),
    ("capture.store.trimming:_Copy", "add", 1),
    ("os", "fsync", 1),
    ("os", "fsync", 2),
    ("pathlib:Path", "replace", 1),
)


@pytest.mark.parametrize(("module", "name", "call"), [*KILLED, ("capture.store.trimming", "sync_folder", 1)])
def test_a_trimming_that_is_killed(journal: Journal, module: str, name: str, call: int) -> None:
    """Faults, kill -9: whatever it dies in, the file is as it was or was to be; lines are added, and it goes on the next time."""
    journal.note([ending(1), ending(2, PURGED), ending(3), ending(4)])
    trimmed(journal, 61)
    assert beside(journal, "die", module, name, call).wait(60) == -signal.SIGKILL
    renamed = name == "sync_folder"
    assert numbers(journal) == ([0, 2, 4] if renamed else [0, 1, 2, 3, 4])
    journal.note([ending(5, days=62)])
    assert numbers(journal)[-1] == 5
    assert trimmed(journal, 63) == [0, 2, 5]
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.log"]


def test_what_another_process_left_or_is_at(journal: Journal) -> None:
    """While another process trims it is left to that; what a killed one left is written over, also if it is longer."""
    journal.note([ending(1), ending(2)])
    trimmed(journal, 61)
    left = journal.path.with_name(".journal.log.new")
    left.write_bytes(b"x" * 100_000)
    with left.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert trimmed(journal, 62) == [0, 1, 2]
    assert left.exists()
    assert trimmed(journal, 62) == [0, 2]
    assert not left.exists()


def test_what_was_taken_back_meanwhile_is_not_copied(journal: Journal) -> None:
    """A line that was seen and then taken back, for want of room, is not there, and the one that took its place is."""
    journal.note([ending(1)])
    size = journal.path.stat().st_size
    journal.note([ending(2)])
    with journal.path.open("rb") as file:
        reader = journal.reader(file)
        assert [line.number for line in reader.lines(size)] == [0, 1]
        os.truncate(journal.path, size)
        journal.note([ending(3)])
        assert [line.ending.number for line in reader.lines()] == [3]


def test_what_fails_is_tried_once_a_day(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for a second file, or it cannot take the name, it is not written again each minute."""
    tries = []

    def refuse(*_: object) -> None:
        tries.append(1)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    journal.note([ending(1), ending(2)])
    monkeypatch.setattr(Path, "replace", refuse)
    trimmer = Trimmer(journal)
    for day in (70, 71):
        with pytest.raises(Unavailable) as caught:
            trimmer.trim(NOW + day * DAY)
        assert "journal.log: Device or resource busy" in (caught.value.hint or "")
        assert trimmer.trim(NOW + (day + 0.9) * DAY) == 0
    assert len(tries) == 2
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.log"]


def test_a_file_that_was_put_back_meanwhile_stays(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who puts another file in the place of the journal while it is written anew finds that one there, not the older one."""
    journal.note([ending(1), ending(2)])
    trimmed(journal, 61)
    another = Path(copyfile(journal.path, journal.path.with_name("another")))

    def fsync(_file: int) -> None:
        monkeypatch.undo()
        another.rename(journal.path)
        journal.note([ending(3)])

    monkeypatch.setattr(os, "fsync", fsync)
    assert trimmed(journal, 62) == [0, 1, 2, 3]


def test_an_altered_file_is_not_written_anew(journal: Journal) -> None:
    """Where a line was altered what follows cannot be told, so nothing is dropped, and the line is named."""
    journal.note([ending(1), ending(2), ending(3)])
    trimmed(journal, 61)
    altered = journal.path.read_bytes().replace(b"request 2", b"request 7")
    journal.path.write_bytes(altered)
    with pytest.raises(BackupRefused) as caught:
        trimmed(journal, 62)
    assert "line 3 of" in caught.value.sentence
    assert journal.path.read_bytes() == altered
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.log"]


def test_a_line_that_a_power_loss_cut_is_left_behind(journal: Journal) -> None:
    """What was never a line is not in the new file, and the lines after it are."""
    journal.note([ending(1), ending(2)])
    trimmed(journal, 61)
    journal.path.write_bytes(journal.path.read_bytes()[:-30])
    assert trimmed(journal, 62) == [0, 1]
    journal.path.write_bytes(journal.path.read_bytes() + b"half a li")
    journal.note([ending(3, days=63)])
    assert trimmed(journal, 63) == [0, 2]
    journal.note([ending(4)])
    journal.path.write_bytes(journal.path.read_bytes() + b"\0" * 20_000)
    assert trimmed(journal, 64) == [0, 2, 3]
    assert journal.path.stat().st_size < 1_000


def test_a_file_that_takes_lines_only_is_left_alone(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be replaced (`chattr +a`) nothing is dropped, nothing fails, and it is tried once, not each minute."""
    tries = []

    def refuse(*_: object) -> None:
        tries.append(1)
        raise PermissionError(1, os.strerror(1))

    journal.note([ending(1), ending(2)])
    monkeypatch.setattr(Path, "replace", refuse)
    assert trimmed(journal, 70, 71) == [0, 1, 2]
    assert len(tries) == 1
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.log"]

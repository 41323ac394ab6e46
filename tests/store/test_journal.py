"""The journal of what ended: durable before the act counts, authenticated (SECURITY 42). How it is kept short: test_trimming.py."""

import fcntl
import os
from pathlib import Path

import pytest

from capture.errors import BackupRefused, Unavailable
from capture.store.journal import PURGED, RESTORED, Ending, Journal
from capture.store.trimming import Trimmer
from capture.store.vault import Vault
from tests.store.conftest import NOW
from tests.store.keeping import room_for
from tests.store.noted import DAY, after, at, ending, numbers


def test_what_was_noted_is_read_back(journal: Journal, vault: Vault) -> None:
    """Each line says what ended; the position is that of the last; beginning again changes nothing; only this user reads it."""
    assert at(journal).number == 0
    journal.note([ending(4), ending(5, PURGED)])
    journal.begin(NOW + DAY)
    journal.note([])
    Journal(journal.path, vault).note([ending(6)])
    assert numbers(journal) == [0, 1, 2, 3]
    assert [line.ending for line in journal.read() if line.number] == [ending(4), ending(5, PURGED), ending(6)]
    assert at(journal).number == 3
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_where_it_cannot_be_written_nothing_is_promised(tmp_path: Path, vault: Vault) -> None:
    """A journal that is not there, or in a folder that is gone, is an error of ours, which names it."""
    nowhere = Journal(tmp_path / "nowhere" / "journal.log", vault)
    with pytest.raises(Unavailable) as caught:
        nowhere.note([ending(1)])
    assert "nowhere/journal.log: No such file" in (caught.value.hint or "")
    with pytest.raises(Unavailable):
        nowhere.begin(NOW)
    assert nowhere.position() is None


def test_the_file_defends_itself(journal: Journal) -> None:
    """A line that was altered, taken out, moved or added by somebody else is told, and where it was."""
    journal.note([ending(number) for number in range(1, 5)])
    first, *lines = journal.path.read_bytes().splitlines(keepends=True)
    for changed, place in (
        ([first, lines[0].replace(b"submitted", b"cancelled"), *lines[1:]], 2),
        ([first, *lines[1:]], 2),
        ([first, lines[1], lines[0], *lines[2:]], 4),
        ([first, *lines[:2], b"nonsense\n", lines[3]], 4),
        ([first, *lines, lines[3]], 6),
        ([*lines], 1),
        ([], 1),
    ):
        journal.path.write_bytes(b"".join(changed))
        with pytest.raises(BackupRefused) as caught:
            list(journal.read())
        assert f"line {place} of {journal.path}" in caught.value.sentence, changed
    journal.path.write_bytes(b"".join([first, *lines]))
    with pytest.raises(BackupRefused):
        list(Journal(journal.path, Vault(bytes(32))).read())


def test_what_a_power_loss_cut_short_was_never_a_line(journal: Journal) -> None:
    """A line that was not written whole is passed over: alone at the end, and between lines that were written after it."""
    journal.note([ending(1), ending(2)])
    for _ in range(2):
        journal.path.write_bytes(journal.path.read_bytes()[:-30])
        assert numbers(journal)[-1] == at(journal).number
        journal.note([ending(3)])
    assert [line.ending.number for line in journal.read() if line.number] == [1, 3]
    with journal.path.open("ab") as file:
        file.write(b"\0" * 200)
    journal.note([ending(4)])
    assert [line.ending.number for line in journal.read() if line.number] == [1, 3, 4]


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_disk_that_is_nearly_full(journal: Journal, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """What was written in part is not promised, and taken back; where the file only grows it stays and harms nothing (42)."""
    journal.note([ending(1)])
    before = journal.path.read_bytes()
    with room_for(journal.path, room), pytest.raises(Unavailable):
        journal.note([ending(2)])
    assert journal.path.read_bytes() == before

    def refuse(*_: object) -> None:
        raise PermissionError(1, os.strerror(1))

    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", refuse)
        for _ in range(300):
            with room_for(journal.path, room), pytest.raises(Unavailable):
                journal.note([ending(2)])
    journal.note([ending(3)])
    assert [line.ending.number for line in journal.read() if line.number] == [1, 3]
    assert at(journal).number == 2


def test_what_ended_since_a_backup(journal: Journal) -> None:
    """What the backup's own chain has is left out, also where it was noted before the backup looked and committed after."""
    start = at(journal)
    journal.note([ending(3), ending(5), ending(1, practice="q")])
    position = at(journal)
    journal.note([ending(6), ending(7)])
    assert after(journal, start, p=5, q=1) == [6, 7]
    assert after(journal, position, p=4, q=0) == [5, 1, 6, 7]
    assert after(journal, position, p=9, q=9) == []
    assert after(journal, position) == [3, 5, 1, 6, 7]


def test_numbers_begin_again_after_a_restore(journal: Journal) -> None:
    """What was noted before the last restore is in each later backup; what was noted after a later restore is in none."""
    old = at(journal)
    journal.note([ending(5), ending(6)])
    journal.note([Ending(NOW.isoformat(), RESTORED, "", 0, "")])
    new = at(journal)
    journal.note([ending(4), ending(5)])
    assert after(journal, new, p=4) == [5]
    assert after(journal, old, p=5) == [6, 4, 5]


def test_a_journal_that_does_not_cover_a_backup(journal: Journal, tmp_path: Path, vault: Vault) -> None:
    """Another journal, one that was put back from before the backup, and one that dropped what is needed say nothing."""
    before = journal.path.read_bytes()
    old = at(journal)
    journal.note([ending(1, PURGED), ending(2)])
    position = at(journal)
    assert after(journal, position) == [1, 2]
    other = Journal(tmp_path / "other.log", vault)
    other.begin(NOW)
    other.note([ending(1), ending(2)])
    assert after(other, position) is None
    for days in (401, 402):
        Trimmer(journal).trim(NOW + days * DAY)
    assert numbers(journal) == [1, 2]
    assert (after(journal, old), after(journal, position, p=2)) == (None, [])
    journal.path.write_bytes(before)
    assert after(journal, position) is None


def test_a_journal_that_is_all_altered_stops_the_act(journal: Journal) -> None:
    """Where no line can be read that the next could follow, whoever acts reads that it cannot be done now, and nothing of files."""
    journal.path.write_bytes(b"\0" * 20_000)
    with pytest.raises(Unavailable) as caught:
        journal.note([ending(1)])
    assert "holds no line that this service wrote" in (caught.value.hint or "")
    assert str(journal.path) not in caught.value.sentence


def test_a_file_that_stays_locked(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever submits waits a bounded time for another process that is at the file, and is then told to try again."""
    monkeypatch.setattr("capture.store.locked.PATIENCE", 0.05)
    with journal.path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            journal.note([ending(1)])
    journal.note([ending(1)])
    assert numbers(journal) == [0, 1]

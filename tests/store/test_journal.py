"""The journal of what ended: durable before the act counts, authenticated, bounded (SECURITY 42)."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from capture.errors import BackupRefused, Unavailable
from capture.settings import ROOT
from capture.store.journal import KEEP_LASTING, KEEP_LINKS, MEMBER, PURGED, RESTORED, Ending, Journal, Position, since
from capture.store.vault import Vault
from tests.store.conftest import NOW
from tests.store.keeping import room_for

DAY = timedelta(days=1)
MANY = """
import sys
from pathlib import Path
from capture.store.journal import Ending, Journal
from capture.store.vault import Vault
journal = Journal(Path(sys.argv[1]), Vault(bytes(range(32))))
for number in range(1, 31):
    journal.note([Ending("2026-11-22T10:00:00+00:00", "submitted", sys.argv[2], number, "r")])
"""


@pytest.fixture
def journal(tmp_path: Path, vault: Vault) -> Journal:
    made = Journal(tmp_path / "journal.log", vault)
    made.begin(NOW)
    return made


def ending(number: int, act: str = "submitted", practice: str = "p", days: float = 0) -> Ending:
    return Ending((NOW + days * DAY).isoformat(), act, practice, number, f"request {number}")


def numbers(journal: Journal) -> list[int]:
    return [line.number for line in journal.read()]


def at(journal: Journal) -> Position:
    found = journal.position()
    assert found
    return found


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


def test_processes_wait_for_each_other(journal: Journal) -> None:
    """Three processes that note at the same time, while the file is written anew, lose nothing and break nothing."""
    command = [sys.executable, "-c", MANY, str(journal.path)]
    running = [subprocess.Popen([*command, practice], cwd=ROOT) for practice in "abc"]
    day = 0
    while any(process.poll() is None for process in running):
        day += 1
        journal.trim(NOW + day % 40 * DAY)
        sleep(0.05)
    assert [process.returncode for process in running] == [0, 0, 0]
    found = [line.ending for line in journal.read() if line.number]
    assert numbers(journal) == list(range(91))
    for practice in "abc":
        assert [one.number for one in found if one.practice == practice] == list(range(1, 31))


def heads(**numbers: int) -> dict[str, int]:
    return numbers


def after(journal: Journal, position: Position, **heads: int) -> list[int] | None:
    found = since(journal.read(), position, heads)
    return None if found is None else [one.number for one in found]


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
    journal.trim(NOW + 401 * DAY)
    journal.trim(NOW + 402 * DAY)
    assert numbers(journal) == [1, 2]
    assert (after(journal, old), after(journal, position, p=2)) == (None, [])
    journal.path.write_bytes(before)
    assert after(journal, position) is None


def test_the_end_of_access_is_kept_as_long_as_a_deletion(journal: Journal) -> None:
    """That a member was removed or a token revoked is needed by a backup of any age that the journal covers."""
    old = at(journal)
    journal.note([ending(1, MEMBER), ending(2)])
    assert trimmed(journal, 300, 301) == [0, 1, 2]
    assert trimmed(journal, 401, 402) == [1, 2]
    assert after(journal, old) is None


def test_a_journal_that_is_all_altered_stops_the_act(journal: Journal) -> None:
    """Where no line can be read that the next could follow, whoever acts reads that it cannot be done now, and nothing of files."""
    journal.path.write_bytes(b"\0" * 20_000)
    with pytest.raises(Unavailable) as caught:
        journal.note([ending(1)])
    assert "holds no line that this service wrote" in (caught.value.hint or "")
    assert str(journal.path) not in caught.value.sentence


def trimmed(journal: Journal, *days: float) -> list[int]:
    for day in days:
        journal.trim(NOW + day * DAY)
    return numbers(journal)


@pytest.mark.parametrize(
    ("days", "left"),
    [
        ([59, 60], [0, 1, 2, 3, 4]),
        ([61, 61.5], [0, 1, 2, 3, 4]),
        ([61, 62], [0, 2, 3, 4]),
        ([401, 402], [2, 3, 4]),
        ([500, 0, 1], [0, 1, 2, 3, 4]),
        ([500, 0, 40, 41], [0, 1, 2, 3, 4]),
    ],
)
def test_what_no_backup_needs_is_dropped(journal: Journal, days: Sequence[float], left: list[int]) -> None:
    """The end of a link goes after 60 days, a deletion after 400; a clock that ran ahead for less than a day drops nothing."""
    assert (KEEP_LINKS, KEEP_LASTING) == (60 * DAY, 400 * DAY)
    journal.note([ending(1), ending(2, PURGED), ending(3, RESTORED), ending(4)])
    assert trimmed(journal, *days) == left
    journal.note([ending(5)])
    assert at(journal).number == 5


def test_a_file_that_stays_locked(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever submits waits a bounded time for another process that is at the file, and is then told to try again."""
    monkeypatch.setattr("capture.store.journal.PATIENCE", 0.05)
    with journal.path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            journal.note([ending(1)])
    journal.note([ending(1)])
    assert numbers(journal) == [0, 1]


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

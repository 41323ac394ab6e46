"""The ends of the audit chains, noted outside the database: who rewrites a whole chain is found (SECURITY 39)."""

import fcntl
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

from capture.errors import Unavailable
from capture.sealing.keys import SigningKey
from capture.store.audit import Wanted, append, check_chain, event_hash, list_actions, list_actors, names_of, search, span
from capture.store.audit_heads import find_breaks, note_heads
from capture.store.database import Database
from capture.store.models import AuditEvent, AuditHead, Practice
from tests.store.conftest import NOW
from tests.store.keeping import room_for
from tests.store.rows import add_request

KEY = SigningKey.generate()


def write(database: Database, practice_id: str, count: int = 3) -> None:
    with database.write() as db:
        for number in range(count):
            append(db, practice_id, actor="operator", action="counted", subject=f"s{number}", at=NOW + timedelta(hours=number))


def note(database: Database, path: Path) -> int:
    with database.read() as db:
        return note_heads(db, path, KEY, NOW)


def breaks(database: Database, path: Path) -> list[str]:
    with database.read() as db:
        return find_breaks(db, path, KEY.verifying_key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heads.log"


def rewrite(database: Database, practice_id: str, upto: int, actor: str) -> None:
    """What someone does who holds the database and knows the code: another actor in the last event, or fewer; all hashes fit."""
    with database.write() as db:
        db.execute(delete(AuditEvent).where(AuditEvent.practice_id == practice_id, AuditEvent.number > upto))
        event = db.get_one(AuditEvent, (practice_id, upto))
        event.actor = actor
        event.hash = event_hash(event)
        head = db.get_one(AuditHead, practice_id)
        head.number, head.hash = upto, event.hash
    with database.read() as db:
        assert check_chain(db, practice_id) == ""  # the database alone does not tell


def test_only_the_end_of_the_file_is_read(
    database: Database, practice: Practice, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the file is, its last lines are looked at; a chain that stands further up is noted again, and all is whole."""
    write(database, practice.id)
    note(database, path)
    write(database, "", 2)
    note(database, path)
    length = len(path.read_bytes().splitlines()[-1])  # a practice's line is longer by its id, 32 signs
    monkeypatch.setattr("capture.store.audit_heads.LOOK_BACK", length + 40)
    assert note(database, path) == 1
    assert note(database, path) == 1
    assert breaks(database, path) == []
    monkeypatch.setattr("capture.store.audit_heads.LOOK_BACK", 3 * length)
    assert note(database, path) == 0


def test_what_was_noted_is_whole(database: Database, practice: Practice, path: Path) -> None:
    """SECURITY 39: a line for each chain that has grown, none for one that has not; chains that go on from there are whole."""
    write(database, practice.id)
    assert note(database, path) == 1
    assert note(database, path) == 0
    write(database, "")
    write(database, practice.id)
    assert note(database, path) == 2
    write(database, practice.id)
    assert breaks(database, path) == []
    said = [json.loads(line.partition(b" ")[2]) for line in path.read_bytes().splitlines()]
    assert [(one["practice"], one["number"]) for one in said] == [(practice.id, 3), ("", 3), (practice.id, 6)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_chain_cut_with_its_head_is_found(database: Database, practice: Practice, path: Path) -> None:
    """SECURITY 39: truncation that also puts the head back, which the database alone does not show."""
    write(database, practice.id)
    note(database, path)
    rewrite(database, practice.id, 2, "operator")
    assert breaks(database, path) == [
        f"practice {practice.id}: event 3 was noted outside the database, but the chain ends at event 2"
    ]


def test_a_chain_written_anew_is_found(database: Database, practice: Practice, path: Path) -> None:
    """SECURITY 39: an edit with all hashes made anew; and a chain that was taken away with its practice's head."""
    write(database, practice.id)
    note(database, path)
    rewrite(database, practice.id, 3, "nobody")
    assert breaks(database, path) == [
        f"practice {practice.id}: event 3 is another than the one that was noted outside the database"
    ]
    with database.write() as db:
        db.execute(text("DELETE FROM audit"))
        db.execute(delete(AuditHead).where(AuditHead.practice_id == practice.id))
    assert breaks(database, path) == [f"practice {practice.id}: the end of the chain is missing"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM audit WHERE number = 2", "event 2 is missing or out of order"),
        ("UPDATE audit SET actor = 'x' WHERE number = 2", "event 2 was altered"),
        ("DELETE FROM audit WHERE number = 3", "the chain ends at event 2, not 3"),
    ],
)
def test_what_the_chain_itself_shows_is_told_too(
    database: Database, practice: Practice, path: Path, statement: str, said: str
) -> None:
    """SECURITY 39: a deletion, an edit and a cut that leave the head are told in the same place."""
    write(database, practice.id)
    note(database, path)
    with database.write() as db:
        db.execute(text(statement))
    assert breaks(database, path) == [f"practice {practice.id}: {said}"]


def test_the_file_defends_itself(database: Database, practice: Practice, path: Path) -> None:
    """SECURITY 39: a line that was altered, taken out, put elsewhere or signed by another key is told, and where."""
    for _ in range(3):
        write(database, practice.id)
        note(database, path)
    first, second, third = lines = path.read_bytes().splitlines(keepends=True)
    for changed, said in (
        ([first, second.replace(b'"number": 6', b'"number": 5'), third], "line 2 of"),
        ([first, third], "before line 2 of"),
        ([first, third, second], "before line 2 of"),
        ([first, b"nonsense\n", third], "line 2 of"),
        ([first, b"\xff {}\n", third], "line 2 of"),
        ([first, second, third[:40]], "line 3 of"),
    ):
        path.write_bytes(b"".join(changed))
        assert said in breaks(database, path)[0], changed
    path.write_bytes(b"".join(lines))
    with database.read() as db:
        assert len(find_breaks(db, path, SigningKey.generate().verifying_key)) == 3
    path.unlink()
    assert "is not there" in breaks(database, path)[0]


def test_after_a_line_that_was_torn_off(database: Database, practice: Practice, path: Path) -> None:
    """A line that a power loss cut short stays one of its own; what is noted after it is whole."""
    write(database, practice.id)
    note(database, path)
    path.write_bytes(path.read_bytes()[:-30])
    assert note(database, path) == 1
    assert breaks(database, path) == [f"line 1 of {path} was altered, or not written whole"]


def test_a_disk_that_is_nearly_full(database: Database, practice: Practice, path: Path) -> None:
    """A line that there was no room for is not said to be noted, and leaves nothing; it comes once there is."""
    write(database, practice.id)
    note(database, path)
    write(database, practice.id)
    with room_for(path, 40), pytest.raises(Unavailable):
        note(database, path)
    assert (note(database, path), breaks(database, path)) == (1, [])


def test_a_file_that_cannot_be_written(database: Database, tmp_path: Path) -> None:
    """Where the file cannot be written the operator is told which, and why."""
    with pytest.raises(Unavailable) as caught:
        note(database, tmp_path / "nowhere" / "heads.log")
    assert "nowhere/heads.log: No such file" in (caught.value.hint or "")


def test_searching_in_the_trail(database: Database, practice: Practice) -> None:
    """Events are found by kind, actor, subject and time, newest first, from any number down, of one practice alone."""
    with database.write() as db:
        request = add_request(db, practice.id)
        append(db, practice.id, actor="ada", action="looked", subject=request.id, at=NOW)
    write(database, practice.id)
    write(database, "")
    hour = timedelta(hours=1)
    with database.read() as db:

        def found(before: int | None = None, limit: int = 9, **wanted: object) -> list[int]:
            return [one.number for one in search(db, practice.id, Wanted(**wanted), before=before, limit=limit)]  # type: ignore[arg-type]

        assert found() == [4, 3, 2, 1]
        assert (found(before=4, limit=2), found(before=1)) == ([3, 2], [])
        assert (found(action="counted"), found(actor="ada"), found(subject="s1")) == ([4, 3, 2], [1], [3])
        assert found(since=NOW + hour, until=NOW + 2 * hour) == [3]
        assert list_actions(db, practice.id) == ["counted", "looked"]
        assert sorted(list_actors(db, practice.id)) == ["ada", "operator"]
        assert span(db, practice.id) == (4, NOW, NOW + 2 * hour)
        assert span(db, "0" * 32) == (0, None, None)
        assert names_of(db, practice.id, {request.id, "ada"}) == {request.id: request.receipt}
        assert names_of(db, "0" * 32, {request.id}) == {}
        assert db.scalars(select(AuditHead.number).where(AuditHead.practice_id == practice.id)).one() == 4


def test_a_file_that_stays_locked(database: Database, practice: Practice, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever notes waits a bounded time for another process that is at the file; what could not be noted is, the next time."""
    write(database, practice.id)
    note(database, path)
    write(database, practice.id)
    monkeypatch.setattr("capture.store.locked.PATIENCE", 0.05)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as caught:
            note(database, path)
    assert str(path) in (caught.value.hint or "")
    assert note(database, path) == 1

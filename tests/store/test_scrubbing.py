"""Where the scrub is and what it found, kept in the database."""

from datetime import timedelta

import pytest

from capture.domain.requests import State
from capture.store.database import Database
from capture.store.models import Practice
from capture.store.requests import try_lock
from capture.store.scrubbing import (
    advance,
    begin_round,
    damages_of,
    find_round,
    list_damages,
    named_blobs,
    next_parts,
    note_damage,
    stored_bytes,
)
from tests.store.conftest import NOW
from tests.store.rows import add_photo, add_request


def test_parts_come_in_order(database: Database, practice: Practice) -> None:
    """Parts come by their photos' ids, from any on and up to any, as many as are wanted; those that were replaced do not."""
    with database.write() as db:
        request = add_request(db, practice.id)
        for sign in "2afc0":
            add_photo(db, request, id=sign * 32, blob=f"{request.id}/{sign}")
        add_photo(db, request, id="b" * 32, replaced=True, blob=f"{request.id}/b")
    with database.read() as db:
        assert [part.photo_id[0] for part in next_parts(db, "", "g", 9)] == list("02acf")
        assert [part.photo_id[0] for part in next_parts(db, "", "g", 2)] == list("02")
        assert [part.photo_id[0] for part in next_parts(db, "2" * 32, "c0000000", 9)] == ["a"]
        assert stored_bytes(db) == 5 * 9
        blobs = [f"{request.id}/{sign}" for sign in "ab9"]
        assert named_blobs(db, [*blobs, f"{practice.id}/a"]) == {blobs[0]}
        assert (try_lock(db, request.id), try_lock(db, practice.id)) == (State.SENT, None)


def test_a_round_is_brought_on_by_one_worker(database: Database) -> None:
    """A worker that comes back late does not set a round back; a round begins anew at the beginning."""
    with database.write() as db:
        begin_round(db, "parts", NOW)
        advance(db, "parts", "", "5")
        advance(db, "parts", "", "3")
    with database.write() as db:
        found = find_round(db, "parts")
        assert found
        assert (found.position, found.began_at) == ("5", NOW)
        assert begin_round(db, "parts", NOW + timedelta(days=1)).position == ""
        assert find_round(db, "names") is None


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_found_goes_with_its_photo(database: Database, practice: Practice, gone: bool) -> None:
    """A finding is news once, changes when the part does, and goes when the part is whole again or its photo is deleted."""
    with database.write() as db:
        photo = add_photo(db, add_request(db, practice.id))
        (part,) = next_parts(db, "", "g", 9)
        noted = [note_damage(db, part, code, NOW) for code in ("", "part-altered", "part-altered", "part-missing")]
        assert noted == [False, True, False, True]
        assert [row[2] for row in list_damages(db, 9)] == ["part-missing"]
        assert [damage.code for _, damage in damages_of(db, [photo.request_id, "x"])[photo.request_id]] == ["part-missing"]
        if gone:
            db.delete(photo)
            db.flush()
            assert not note_damage(db, part, "part-missing", NOW)
        else:
            assert note_damage(db, part, "", NOW)
        assert list_damages(db, 9) == []

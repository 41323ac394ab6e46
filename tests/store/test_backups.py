"""Backups: everything comes back, on either database, and nothing that was altered does. What must not: test_restoring.py."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from capture.actions.back_up import TURNS, back_up
from capture.actions.cancel import cancel
from capture.actions.deliver import bundle_files
from capture.actions.note_heads import find_breaks, list_restores, note_heads
from capture.actions.open_link import confirm
from capture.actions.restore import check_backup, mend, restore
from capture.actions.scrub import read_again, scrub_all
from capture.actions.submit import submit
from capture.errors import BackupRefused, CaptureError, Conflict, Unavailable
from capture.inbox.base import check_whole
from capture.photos import Cleaner
from capture.services import Services
from capture.store import dumps, scrubbing
from capture.store.database import Database, revision_of, upgrade
from capture.store.models import Bundle, Delivery, Practice, Request, new_id
from capture.store.vault import Vault
from tests.builders import (
    ARequest,
    agree_patient,
    make_invitation,
    make_member,
    make_practice,
    make_request,
    make_submitted,
    photo_bytes,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.store.keeping import Place, started, state_of, tables


@pytest.fixture
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of another empty database, of the kind that is asked for."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / new_id()}.db"
        return str(request.getfixturevalue("postgres").create())

    return make


def whole(services: Services) -> int:
    """Check that every photo's part is whole, and every bundle; how many bundles."""
    assert scrub_all(services).damaged == {}
    with services.database.read() as db:
        bundles = db.query(Bundle).filter(Bundle.manifest != b"").all()
        for bundle in bundles:
            check_whole(bundle_files(services, db, bundle))
    return len(bundles)


@pytest.mark.parametrize("kinds", ["sqlite postgresql", "postgresql sqlite"])
def test_everything_comes_back(kinds: str, another: Any, tmp_path: Path, clock: Clock, cleaner: Cleaner) -> None:
    """Every row, byte and time comes back on the same database or on the other; links, bundles and audit trail go on."""
    source, target = kinds.split()
    with started(tmp_path / "var", another(source), clock, cleaner) as services:
        place = Place(tmp_path, services, clock, cleaner)
        asked = make_request(services, make_practice(services))
        sent, begun = make_request(services, asked.practice), make_request(services, asked.practice, label="Zoë Ünicode 🦄")
        make_submitted(services, sent, views=("context", "close-up"))
        agree_patient(services, begun)
        for _ in range(2):
            take_photo(services, begun)
        make_member(services, asked.practice)
        before = tables(services)
        done = place.back_up()
        assert (done.parts, done.copied, done.missing, done.removed) == (3, 3, [], 0)
        assert check_backup(services, place.backups, None).parts == 3
        note_heads(services)
        with place.restored(another(target)) as (there, restored):
            assert (restored.parts, restored.ended, restored.deleted, restored.unopened) == (3, 0, 0, 1)
            assert make_url(there.settings.database).get_backend_name() == target
            after = tables(there)
            assert after.keys() == before.keys()
            for name in before.keys() - {"audit", "audit_heads"}:
                assert after[name] == before[name], name
            assert set(before["audit"]) < set(after["audit"])
            assert whole(there) == 1
            assert confirm(there, asked.token, asked.born)
            assert submit(there, begun.id, "") == begun.receipt
            assert find_breaks(there) == []
            assert "was brought back from its backup of 2026-11-22T10:00" in list_restores(there)[0]
            with pytest.raises(Conflict):
                restore(there, place.backups, None, without_journal=True)


@pytest.mark.parametrize("kinds", ["sqlite postgresql", "postgresql sqlite"])
def test_a_backup_of_an_older_version_is_brought_up_to_date(kinds: str, another: Any, vault: Vault) -> None:
    """What a version before has written is built with its own schema and then migrated, as its database would have been."""
    old, new = (Database(another(kind), vault) for kind in kinds.split())
    zero, now = "0" * 32, "2026-11-22 10:00:00.000000+00:00"
    with old.building() as connection:
        upgrade(connection, "0012")
        connection.execute(
            text(
                "INSERT INTO practices (id, ods, name, phone, recipients_mac, created_at, intimate_allowed)"
                f" VALUES ('{zero}', 'A81001', 'Elm', '1', 'mac', '{now}', true)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO requests (id, practice_id, issue_key, state, receipt, token_hash, dob_hash, guesses, refusals,"
                " details_sealed, issued_at, expires_at, changed_at) VALUES"
                f" ('{zero}', '{zero}', 'k', 'submitted', 'R1', 't', 'd', 0, 0, :sealed, '{now}', '{now}', '{now}')"
            ),
            {"sealed": b"\0\xff"},
        )
        columns = "id, practice_id, request_id, manifest, signature, request_part, created_at"
        values = {"sealed": b"m"}
        connection.execute(
            text(f"INSERT INTO bundles ({columns}) VALUES ('{zero}', '{zero}', '{zero}', :sealed, :sealed, :sealed, '{now}')"),
            values,
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (id, bundle_id, inbox, state, attempts, fence, due_at, last_error)"
                f" VALUES ('{zero}', '{zero}', 'web', 'queued', 0, 0, '{now}', '')"
            )
        )
    with old.snapshot() as connection:
        lines = {table.name: list(dumps.dump(connection, table)) for table in dumps.tables_of(connection)}
        revision = revision_of(connection)
    with new.building() as connection:
        dumps.build(connection, revision, lambda name: iter(lines[name]))
    with new.read() as db:
        request, delivery = db.get_one(Request, zero), db.get_one(Delivery, zero)
        assert (revision, request.details_sealed, request.issued_at.isoformat()) == ("0012", b"\0\xff", "2026-11-22T10:00:00+00:00")
        assert (delivery.practice_id, db.get_one(Practice, zero).intimate_allowed) == (zero, True)
    new.migrate()
    for database in (old, new):
        database.close()


def test_only_what_is_new_is_copied(place: Place, asked: ARequest) -> None:
    """A part is copied once; one that was deleted leaves the folder at the next backup; the newest snapshots are kept."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked, "context")
    assert place.back_up().copied == 1
    take_photo(services, asked, "close-up")
    (first,) = (photo for photo in photos_of(services, asked) if photo.view == "context")
    done = place.back_up()
    assert (done.parts, done.copied, done.removed) == (2, 1, 0)
    take_photo(services, asked, "context")
    done = place.back_up(keep=2)
    assert (done.snapshot, done.parts, done.copied, done.removed, done.dropped) == (3, 2, 1, 1, 1)
    assert not (place.backups / "blobs" / first.blob).exists()
    assert sorted(path.name for path in (place.backups / "snapshots").iterdir()) == ["000002", "000003"]
    cancel(services, asked.practice.id, asked.id, actor="a")
    assert place.back_up().removed == 2
    assert list((place.backups / "blobs").rglob("*.age")) == []
    with place.restored(snapshot=2) as (there, _):
        assert (state_of(there, asked), whole(there)) == ("cancelled", 0)
        assert scrub_all(there).parts == 0


def test_a_backup_opens_nothing(place: Place, asked: ARequest) -> None:
    """SECURITY 42: no identity, key, label, reference, date, number, e-mail of a patient, and no photo stands in a backup."""
    services = place.services
    make_submitted(services, asked)
    unsent = make_request(services, asked.practice)
    _, invited = make_invitation(services, asked.practice, make_member(services, asked.practice))
    place.back_up()
    files = [path for path in place.backups.rglob("*") if path.is_file()]
    raw = b"".join(path.read_bytes() for path in files)
    assert len(raw) > 10_000
    keys = [path.read_bytes() for path in services.settings.keys.iterdir()]
    photo = photo_bytes()
    texts = [*asked.private, asked.token, unsent.token, invited.rpartition("/")[2], "It itches at night"]
    secrets = [asked.practice.identity.to_text(), asked.practice.recovery.to_text(), *texts]
    assert not [text for text in secrets if text.encode() in raw]
    assert not [piece for piece in (*keys, photo[500:600], asked.practice.identity.seed) if piece in raw]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)


def every_file(place: Place) -> list[Path]:
    return sorted(path for path in place.backups.rglob("*") if path.is_file())


@pytest.mark.parametrize("how", ["altered", "cut", "gone"])
def test_what_is_not_as_it_was_written_is_refused(place: Place, asked: ARequest, how: str) -> None:
    """Every file of a snapshot, altered by a bit, cut short or taken away, is found before anything is written, and named."""
    make_submitted(place.services, asked)
    place.back_up()
    target = place.empty()
    for path in (path for path in every_file(place) if path.suffix != ".age"):
        data = path.read_bytes()
        if not data and how != "gone":
            continue
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(data[:-1] if how == "cut" else bytes([data[0] ^ 1]) + data[1:])
        with pytest.raises(BackupRefused) as refused:
            restore(target, place.backups, None, without_journal=False)
        named = path.with_name("manifest.json") if path.name == "manifest.mac" and how != "gone" else path
        assert str(named) in refused.value.sentence
        path.write_bytes(data)
    assert restore(target, place.backups, None, without_journal=False).parts == 1
    target.database.close()


@pytest.mark.parametrize("name", ["requests.jsonl", "removed.jsonl", "manifest.json", "manifest.mac"])
def test_a_later_snapshot_that_has_rotted_stops_no_older_one(place: Place, asked: ARequest, name: str) -> None:
    """Faults: an older snapshot is brought back whatever became of later ones; parts that one of those took out may be missing."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked, "close-up")
    take_photo(services, asked, "context")
    (retaken,) = (photo.blob for photo in photos_of(services, asked) if photo.view == "context")
    place.back_up()
    take_photo(services, asked, "context")
    assert [place.back_up().removed for _ in range(2)] == [1, 0]
    path = place.backups / "snapshots" / "000002" / name
    path.write_bytes(path.read_bytes() + b"x")
    needed = name != "requests.jsonl"  # of a later one nothing but its list is
    checked = check_backup(services, place.backups, 1)
    assert (checked.parts, checked.missing, checked.unread) == (1, [retaken], [2]) if needed else (1, [], [])
    with place.restored(snapshot=1) as (there, restored):
        assert (restored.parts, restored.missing, restored.unread) == ((1, [retaken], [2]) if needed else (1, [], []))
        assert list(scrub_all(there).damaged) == restored.missing
        assert state_of(there, asked) == "confirmed"
    with pytest.raises(BackupRefused):
        check_backup(services, place.backups, 2)
    assert check_backup(services, place.backups, None).unread == []


def test_other_keys_are_refused(place: Place) -> None:
    """A backup that another service made, or keys that are not its own, is told before anything is written."""
    place.back_up()
    target = place.empty()
    shutil.copy(target.settings.keys / "secret", target.settings.keys / "was")
    (target.settings.keys / "secret").write_bytes(bytes(32))
    with pytest.raises(BackupRefused) as refused:
        restore(place.empty(var=target.settings.var), place.backups, None, without_journal=False)
    assert "other keys" in refused.value.sentence
    with pytest.raises(BackupRefused) as refused:
        restore(target, place.folder / "nowhere", None, without_journal=False)
    assert refused.value.code == "no-backup"
    with pytest.raises(BackupRefused):
        check_backup(place.services, place.backups, 7)
    target.database.close()


def test_a_part_that_is_damaged_is_named_and_mended(place: Place, asked: ARequest) -> None:
    """What the store has damaged is whole in a backup that had it before, and can be put back; else the backup says so."""
    services = place.services
    make_submitted(services, asked, views=("context", "close-up"))
    first, second = (Path(services.settings.var) / "blobs" / photo.blob for photo in photos_of(services, asked))
    was = first.read_bytes()
    first.write_bytes(was[:-1])
    done = place.back_up()
    assert done.missing == [photos_of(services, asked)[0].blob]
    with place.restored() as (there, restored):
        assert restored.missing == done.missing
        assert scrub_all(there).damaged == dict.fromkeys(done.missing, "part-missing")
    first.write_bytes(was)
    assert place.back_up().missing == []
    first.write_bytes(was[:-1])
    second.unlink()
    assert len(scrub_all(services).damaged) == 2
    assert place.back_up().missing == []
    assert [len(names) for names in mend(services, place.backups)] == [2, 0]
    assert whole(services) == 1
    assert mend(services, place.backups) == ([], [])
    first.unlink()
    shutil.rmtree(place.backups / "blobs")
    scrub_all(services)
    assert [len(names) for names in mend(services, place.backups)] == [0, 1]


@pytest.mark.parametrize("how", ["altered", "unreadable", "gone"])
def test_one_bad_part_of_a_backup(place: Place, asked: ARequest, how: str) -> None:
    """Faults: what has rotted in a backup is named and noted as damaged, everything else comes back; the next backups mend it."""
    services = place.services
    make_submitted(services, asked, views=("context", "close-up"))
    place.back_up()
    bad, good = photos_of(services, asked)
    path = place.backups / "blobs" / bad.blob
    data = path.read_bytes()
    path.unlink()
    if how == "altered":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    if how == "unreadable":
        path.mkdir()
    checked = check_backup(services, place.backups, None)
    assert (checked.parts, checked.missing) == (1, [bad.blob])
    with place.restored() as (there, restored):
        assert (restored.parts, restored.missing) == (1, [bad.blob])
        with there.database.read() as db:
            assert [(code, part.blob) for _, _, code, part in scrubbing.list_damages(db)] == [("part-missing", bad.blob)]
        assert b"".join(there.blobs.read(good.blob)) == b"".join(services.blobs.read(good.blob))
    if how == "unreadable":
        path.rmdir()
    done = [place.back_up() for _ in range(TURNS)]
    assert (sum(one.copied for one in done), sum(one.compared for one in done) > 0) == (1, True)
    assert check_backup(services, place.backups, None).missing == []


def test_a_backup_of_a_running_service_is_of_one_instant(place: Place) -> None:
    """While patients take, retake, send and cancel, every photo that a backup names is in it, and every bundle is whole."""
    services, stop = place.services, Event()
    practice = make_practice(services)

    def patients(number: int) -> int:
        count = 0
        while not stop.is_set() and count < 12:
            asked = make_request(services, practice)
            agree_patient(services, asked)
            for view in ("context", "close-up", "context")[: 2 + count % 2]:
                take_photo(services, asked, view)
            if (count + number) % 3:
                submit(services, asked.id, "")
            else:
                cancel(services, practice.id, asked.id, actor="a")
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(patients, number) for number in range(2)]
        try:
            done = [place.back_up() for _ in range(3)]
        finally:
            stop.set()
        assert sum(one.result(60) for one in running) > 2
    assert [one.missing for one in done] == [[], [], []]
    for number in (1, 3):
        with place.restored(snapshot=number) as (there, _):
            whole(there)
            assert find_breaks(there) == []


def test_a_backup_is_of_the_time_at_which_it_looked(place: Place, asked: ARequest) -> None:
    """However long photos are copied, a snapshot lacks nothing from before the time that it names: operators go by that."""
    make_submitted(place.services, asked)
    looked = place.clock()
    back_up(place.services, place.backups, 7, lambda _: place.clock.forward(hours=3))
    assert place.clock() > looked
    assert check_backup(place.services, place.backups, None).made_at == looked.isoformat()


def test_one_backup_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second backup into a folder that is being written to is refused; what a killed one left is cleared away."""
    place.back_up()
    torn = place.backups / "snapshots" / ".0.part"
    torn.mkdir()

    def meanwhile(*_: object) -> Iterator[Any]:
        with pytest.raises(Conflict):
            back_up(place.services, place.backups, 7)
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr("capture.store.dumps.dump", meanwhile)
        with pytest.raises(Unavailable):
            place.back_up()
    assert [path.name for path in (place.backups / "snapshots").iterdir()] == ["000001"]
    assert place.back_up().snapshot == 2


def test_without_a_journal_there_is_no_backup(place: Place) -> None:
    """A backup that no restore could ever be told of is not made: the operator is told first."""
    place.services.settings.journal_file.unlink()
    with pytest.raises(CaptureError) as refused:
        back_up(place.services, place.backups, 7)
    assert "journal.log is not there" in (refused.value.hint or "")


def test_a_database_of_another_past_takes_nothing_from_a_backup(place: Place, asked: ARequest) -> None:
    """One that was made anew, with these keys or others, and one that was brought back from an older snapshot, are refused: to them
    the photos of the newest snapshot are photos that were deleted.
    """
    place.back_up()
    make_submitted(place.services, asked)
    place.back_up()
    before = sorted(place.backups.rglob("*"))
    anew, others = place.folder / "anew", place.folder / "others"
    shutil.copytree(place.services.settings.keys, anew / "keys")
    anew.chmod(0o700)
    for var in (anew, others):
        with started(var, f"sqlite:///{var}/capture.db", place.clock, place.cleaner) as services:
            make_practice(services)
            with pytest.raises((BackupRefused, Conflict)) as refused:
                back_up(services, place.backups, 1)
        assert "another folder" in (refused.value.hint or "")
    with place.restored(snapshot=1) as (older, _), pytest.raises(Conflict) as told:
        back_up(older, place.backups, 1)
    assert "Snapshot 2" in told.value.sentence
    assert sorted(place.backups.rglob("*")) == before
    with place.restored() as (newest, _):
        assert back_up(newest, place.backups, 7).snapshot == 3
        assert whole(newest) == 1


def test_a_snapshot_that_has_rotted_stops_no_backup(place: Place) -> None:
    """What the newest snapshot cannot tell of its past any longer, the one before it does; where none can, nothing is written."""
    for _ in range(2):
        place.back_up()
    rotted = [place.backups / "snapshots" / f"00000{number}" / "audit_heads.jsonl" for number in (1, 2)]
    rotted[1].write_bytes(b"")
    assert place.back_up().snapshot == 3
    shutil.rmtree(place.backups / "snapshots" / "000003")
    rotted[0].unlink()
    with pytest.raises(BackupRefused) as refused:
        place.back_up()
    assert "audit_heads.jsonl is missing" in refused.value.sentence


def test_what_a_killed_backup_left_deletes_nothing(place: Place, asked: ARequest) -> None:
    """A part that was written half leaves the backup, and no restore takes it for a photo that was deleted."""
    make_submitted(place.services, asked)
    place.back_up()
    torn = place.backups / "blobs" / asked.id / ".0123456789abcdef.part"
    torn.write_bytes(b"half")
    assert place.back_up().removed == 1
    assert not torn.exists()
    with place.restored(snapshot=1) as (there, done):
        assert (done.deleted, whole(there)) == (0, 1)


def test_a_part_that_goes_as_it_is_copied(place: Place, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that is deleted between two looks at it is one that has gone; the backup goes on."""
    agree_patient(place.services, asked)
    take_photo(place.services, asked, "context")
    looked = read_again

    def look_and_lose(services: Services, part: scrubbing.StoredPart) -> str:
        found = looked(services, part)
        cancel(services, asked.practice.id, asked.id, actor="a")
        services.blobs.delete(part.blob)
        return found

    monkeypatch.setattr("capture.actions.back_up.read_again", look_and_lose)
    done = place.back_up()
    assert (done.snapshot, done.parts, done.missing) == (1, 0, [])


def test_a_backup_among_what_it_backs_up_is_refused(place: Place) -> None:
    """Into the data folder nothing is backed up: it would be lost with it, and its photos are the store's own."""
    var = place.services.settings.var
    for folder in (var, var / "backups"):
        with pytest.raises(Conflict) as refused:
            back_up(place.services, folder, 7)
        assert "in the data folder" in refused.value.sentence
    assert not (var / "snapshots").exists()


def test_nothing_is_mended_from_nowhere(place: Place) -> None:
    """A mistyped folder is told, and not made."""
    with pytest.raises(BackupRefused) as refused:
        mend(place.services, place.folder / "typo")
    assert refused.value.code == "no-backup"
    assert not (place.folder / "typo").exists()

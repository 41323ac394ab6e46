"""What is deleted when its time is over: from every file, and nothing before its time. The pages: test_purged.py."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from time import sleep

import pytest
from sqlalchemy.orm import Session

from capture.actions.ask_again import Again, ask_again
from capture.actions.attach import attach
from capture.actions.cancel import cancel
from capture.actions.collect import collect
from capture.actions.deliver import bundle_files, deliver_next
from capture.actions.expire import expire_due
from capture.actions.purge import purge
from capture.actions.scrub import remove_orphans
from capture.actions.submit import submit
from capture.domain.requests import State
from capture.errors import Conflict, PhotosDeleted, Unavailable
from capture.services import Services
from capture.store import audit, deletions
from capture.store.blobs import FolderBlobs
from capture.store.models import Bundle, Delivery, Photo, Practice, Request
from capture.store.requests import details_of
from tests.builders import (
    VIEWS,
    ARequest,
    agree_patient,
    bundle_of,
    make_member,
    make_request,
    make_submitted,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import act, events_of, state_of
from tests.web.html import Visitor, patient
from tests.web.retention import make_attached, pass_time


def stored_bytes(services: Services) -> bytes:
    """Every byte that the service holds, keys apart: database, journal, sealed parts."""
    files = [path for path in Path(services.settings.var).rglob("*") if path.is_file() and "keys" not in path.parts]
    return b"".join(path.read_bytes() for path in files)


def test_what_is_purged_is_gone_from_every_file(services: Services, asked: ARequest, clock: Clock) -> None:
    """SECURITY 41: 30 days after "attached" no byte of what was sealed is left in database, journal or store."""
    bundle = make_attached(services, asked)
    with services.database.read() as db:
        request, (photo,) = db.get_one(Request, asked.id), db.query(Photo).all()
        part = b"".join(services.blobs.read(photo.blob))
        sealed = [bundle.manifest, bundle.request_part, request.details_sealed, request.dob_hash.encode(), photo.facts_sealed, part]
    assert all(piece[20:80] in stored_bytes(services) for piece in sealed)
    assert pass_time(services, clock, 30) == 1
    assert services.database.forget_deleted()
    found = stored_bytes(services)
    assert not any(piece[start : start + 60] in found for piece in sealed for start in range(0, len(piece) - 60, 60))
    assert events_of(services, asked)[-1] == "request purged"
    with services.database.read() as db:
        assert audit.check_chain(db, asked.practice.id) == ""
    assert purge(services) == 0


@pytest.mark.parametrize(("days", "purged"), [(28, 0), (30, 1)])
def test_each_state_has_its_time(services: Services, asked: ARequest, clock: Clock, days: int, purged: int) -> None:
    """Opened photos stay for the practice's 90 days, attached ones for 30, what nobody opened for as long as nobody does."""
    make_attached(services, asked)
    opened, waiting, on_its_way = (make_request(services, asked.practice) for _ in range(3))
    collect(services, asked.practice.id, make_submitted(services, opened).id, actor="a")
    make_submitted(services, waiting)
    make_submitted(services, on_its_way, delivered=False)
    assert pass_time(services, clock, days) == purged
    assert pass_time(services, clock, 90 - days) == 2 - purged
    assert [state_of(services, each) for each in (asked, opened, waiting, on_its_way)] == [
        *["purged"] * 2,
        "delivered",
        "submitted",
    ]
    assert photos_of(services, waiting)
    assert photos_of(services, on_its_way)


def test_unfinished_requests_go_a_week_after_their_end(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """An expired link can be given more time for 7 days; then photo and words go, as those of a cancelled one."""
    other = make_request(services, asked.practice)
    agree_patient(services, asked)
    take_photo(services, asked)
    cancel(services, asked.practice.id, other.id, actor="a")
    clock.forward(days=8)
    assert expire_due(services) == 1
    assert pass_time(services, clock, 5) == 1
    assert (state_of(services, asked), state_of(services, other)) == ("expired", "purged")
    assert photos_of(services, asked)
    assert pass_time(services, clock, 1) == 1
    assert (state_of(services, asked), photos_of(services, asked)) == ("purged", [])
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    assert act(desk, asked, "extend", days="7").status == 409
    assert patient(desk.client.application, asked).get(asked.path).status == 404


def test_a_clock_that_jumps_deletes_nothing(services: Services, asked: ARequest, clock: Clock) -> None:
    """Faults: 40 days ahead for hours, and back, and again, deletes nothing; then the time counts as it should."""
    make_attached(services, asked)
    for _ in range(3):
        clock.forward(days=40)
        for _ in range(5):
            clock.forward(hours=4)
            assert purge(services) == 0
        clock.forward(days=-40)
        assert purge(services) == 0
    clock.forward(days=-40)
    assert purge(services) == 0
    assert state_of(services, asked) == "attached"
    clock.forward(days=40)
    assert pass_time(services, clock, 30) == 1


def test_undelivered_photos_survive_every_clock(services: Services, asked: ARequest, clock: Clock) -> None:
    """Faults, the clock jumps 40 days and stays there: nothing undelivered is purged, nor what another inbox still waits for."""
    make_submitted(services, asked, delivered=False)
    assert pass_time(services, clock, 400) == 0
    with services.database.write() as db:
        db.get_one(Request, asked.id).state = State.COLLECTED  # as if one of two inboxes had it
    assert pass_time(services, clock, 400) == 0
    with services.database.write() as db:
        db.query(Delivery).filter_by(bundle_id=bundle_of(services, asked).id).one().state = "delivered"
    assert pass_time(services, clock, 1) == 1


def test_a_longer_time_chosen_meanwhile_counts(services: Services, asked: ARequest, clock: Clock) -> None:
    """A practice that keeps photos longer, or attaches them, between the two looks keeps them: the second look decides anew."""
    bundle = make_attached(services, asked)
    clock.forward(days=30)
    assert purge(services) == 0
    with services.database.write() as db:
        db.get_one(Practice, asked.practice.id).keep_attached_days = 60
    clock.forward(days=1)
    assert purge(services) == 0
    assert bundle_of(services, asked).manifest == bundle.manifest
    assert pass_time(services, clock, 29) == 1


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["note_due", "list_noted", "erase", "list_blobs", "next_blobs", "forget_blobs"])
def test_killed_at_any_step(services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Faults, kill -9: whatever step a sweep dies in, the bundle is whole or deleted, never half, and the next sweep ends it."""
    make_attached(services, asked)
    clock.forward(days=30)
    purge(services)
    clock.forward(days=1)
    with monkeypatch.context() as patched:
        patched.setattr(deletions, step, killed)
        with pytest.raises(KeyboardInterrupt):
            purge(services)
    with services.database.read() as db:
        bundle = db.query(Bundle).one()
        if state_of(services, asked) == "attached":
            assert all(b"".join(file.read()) for file in bundle_files(services, db, bundle).files)
        else:
            assert (bundle.manifest, db.query(Photo).count()) == (b"", 0)
    purge(services)
    assert state_of(services, asked) == "purged"
    assert list(services.blobs.names()) == []
    assert listed(services) == []
    assert events_of(services, asked).count("request purged") == 1


def refusing(services: Services, refused: Callable[[str], bool]) -> Services:
    """The same with a store that cannot remove such parts."""

    class Refusing(FolderBlobs):
        def delete(self, name: str) -> None:
            if refused(name):
                raise Unavailable(hint="a sealed part cannot be removed: Input/output error")
            super().delete(name)

    return replace(services, blobs=Refusing(Path(services.settings.var) / "blobs"))


def listed(services: Services) -> list[str]:
    with services.database.read() as db:
        return deletions.next_blobs(db, "", 9)


def test_a_store_that_fails_is_asked_again(services: Services, asked: ARequest, clock: Clock) -> None:
    """A sealed part that cannot be removed stays on the list, holds up nothing, and goes at the next sweep."""
    for each in (asked, make_request(services, asked.practice)):
        make_attached(services, each)
    (refused,) = (photo.blob for photo in photos_of(services, asked))
    assert pass_time(refusing(services, lambda name: name == refused), clock, 30) == 2
    assert listed(services) == [refused]
    assert purge(services) == 0
    assert listed(services) == []


def test_a_store_that_stalls_has_one_try_a_sweep(
    services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults, S3 slow: once its time is over a sweep removes no more, and the next goes on behind it, so each part has its turn."""
    make_attached(services, asked, views=VIEWS)
    bad, *others = sorted(photo.blob for photo in photos_of(services, asked))
    tried: list[str] = []

    def is_bad(name: str) -> bool:
        tried.append(name)
        return name == bad

    stalling = refusing(services, is_bad)
    monkeypatch.setattr("capture.actions.purge.PATIENCE", 0.0)
    assert pass_time(stalling, clock, 30) == 1
    for _ in others:
        purge(stalling)
    assert (tried, listed(services)) == ([bad, *others], [bad])
    purge(stalling)  # comes to the end of the list
    purge(stalling)
    assert tried == [bad, *others, bad]


def test_a_part_that_is_listed_already_holds_up_no_deletion(services: Services, asked: ARequest, clock: Clock) -> None:
    """The part of a photo that was taken again, which the store does not let go and the scrub has listed, is listed once."""
    failing, other = refusing(services, lambda _: True), make_request(services, asked.practice)
    agree_patient(services, asked)
    take_photo(services, asked)
    (replaced,) = photos_of(services, asked)
    with pytest.raises(Unavailable):
        take_photo(failing, asked)
    submit(services, asked.id, "")
    assert deliver_next(services)
    collect(services, asked.practice.id, bundle_of(services, asked).id, actor="a")
    make_attached(services, other)
    assert remove_orphans(failing, [replaced.blob]) == 1
    assert listed(services) == [replaced.blob]
    assert pass_time(failing, clock, 90) == 2
    assert len(listed(services)) == 3
    assert purge(services) == 0
    assert listed(services) == []


def test_a_request_that_cannot_be_deleted_holds_up_no_other(
    services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong with one request is logged by its code: the others are deleted, and what is listed is removed."""
    other, erase = make_request(services, asked.practice), deletions.erase
    for each in (asked, other):
        make_attached(services, each)

    def fail(db: Session, request: Request) -> list[str]:
        if request.id == asked.id:
            raise Conflict
        return erase(db, request)

    with monkeypatch.context() as patched:
        patched.setattr(deletions, "erase", fail)
        assert pass_time(services, clock, 30) == 1
    assert (state_of(services, asked), state_of(services, other), listed(services)) == ("attached", "purged", [])
    assert purge(services) == 1


def test_a_folder_that_cannot_be_written_is_told(services: Services, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails as a part is removed is an error of ours, so that the part stays on the list."""

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    make_submitted(services, asked)
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(Unavailable):
        services.blobs.delete(photos_of(services, asked)[0].blob)


def test_two_sweeps_and_one_who_opens(services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Races: two workers delete once; who opens, attaches or fetches as it happens is told that the photos were deleted."""
    bundle = make_attached(services, asked)
    clock.forward(days=30)
    purge(services)
    clock.forward(days=1)
    assert purge(services) + purge(services) == 1
    assert events_of(services, asked).count("request purged") == 1
    for act_on in (collect, attach):
        monkeypatch.setattr(f"capture.actions.{act_on.__name__}.photos.find_bundle", found_before)
        with pytest.raises(PhotosDeleted):
            act_on(services, asked.practice.id, bundle.id, actor="a")
    with services.database.read() as db:
        stale = db.get_one(Bundle, bundle.id)
        stale.manifest = bundle.manifest  # as it was read a moment before
        with pytest.raises(PhotosDeleted), db.no_autoflush:
            bundle_files(services, db, stale)


def found_before(db: Session, _practice_id: str, bundle_id: str) -> Bundle:
    """What a reader found who was a moment earlier than the sweep."""
    return db.get_one(Bundle, bundle_id)


@pytest.mark.parametrize("first", ["purge", "again"])
def test_asking_again_races_the_sweep(services: Services, asked: ARequest, clock: Clock, first: str) -> None:
    """Races: whoever comes first counts. A request asked just before stays whole, with its date of birth and its words."""
    make_attached(services, asked)
    clock.forward(days=30)
    assert purge(services) == 0
    clock.forward(days=1)
    start = Barrier(2)

    def sweep() -> int:
        start.wait(5)
        sleep(0.05 if first == "again" else 0)
        return purge(services)

    def ask() -> str:
        start.wait(5)
        sleep(0.05 if first == "purge" else 0)
        try:
            again = Again(("close-up",), "blurred", 7, "1" * 32)
            return ask_again(services, asked.practice.id, asked.id, again, actor="a").request_id
        except Conflict:
            return ""

    with ThreadPoolExecutor(2) as pool:
        swept, asked_again = pool.submit(sweep), pool.submit(ask)
        assert swept.result(20) == 1
    with services.database.read() as db:
        assert db.get_one(Request, asked.id).state == State.PURGED
        for request in db.query(Request).filter(Request.id != asked.id):
            assert request.id == asked_again.result()
            assert (details_of(db, request).label, request.state) == (asked.label, State.SENT)
            assert services.vault.check_secret(request.dob_hash, asked.born.isoformat(), asked.id)

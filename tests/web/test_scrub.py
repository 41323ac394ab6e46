"""The scrub: a flipped byte in a stored part is found, named and told once, and the others are served (faults)."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from capture.actions import scrub
from capture.actions.scrub import Found, scrub_all, scrub_due
from capture.actions.submit import submit
from capture.check import find_problems
from capture.errors import Unavailable
from capture.services import Services
from capture.store import deletions, scrubbing
from capture.store.blobs import FolderBlobs, new_name
from capture.store.models import new_id
from tests.builders import VIEWS, ARequest, agree_patient, make_request, make_submitted, photos_of, take_photo
from tests.conftest import Clock
from tests.web.desk import events_of
from tests.web.html import Visitor


def file_of(services: Services, name: str) -> Path:
    return Path(services.settings.var) / "blobs" / name


def flip(path: Path) -> bytes:
    """Flip one bit in the middle of a file; what it was before."""
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before


def age(services: Services, clock: Clock, name: str, **parts: float) -> None:
    """Let a file have been written so long ago."""
    written = (clock() - timedelta(**parts)).timestamp()
    os.utime(file_of(services, name), (written, written))


def test_a_flipped_byte_is_found_named_and_the_others_served(
    services: Services, desk: Visitor, asked: ARequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Faults, end to end: found by the scrub, named to staff and operator once, at download too; the others are served."""
    bundle = make_submitted(services, asked, views=("context", "close-up"))
    close_up, context = sorted(photos_of(services, asked), key=lambda photo: photo.view)
    whole = flip(file_of(services, close_up.blob))
    found = scrub_all(services)
    assert (found.parts, found.damaged) == (2, {close_up.blob: "part-altered"})
    assert scrub_all(services).damaged == found.damaged
    assert events_of(services, asked).count("part damaged") == 1
    assert len([line for line in caplog.messages if "part-altered" in line]) == 1
    page = desk.get(f"/staff/bundles/{bundle.id}")
    assert page.text.count("found on 22 November 2026") == 1
    assert "damaged in storage and cannot be opened" in page.text
    assert "1 photo of these was damaged in storage" in desk.get("/staff/practice/deliveries").text
    assert "A stored photo was found damaged" in desk.get(f"/staff/requests/{asked.id}").text
    parts = f"/staff/bundles/{bundle.id}/parts/photos"
    served = desk.client.get(f"{parts}/01-context.jpg.age", base_url="https://photos.example.org")
    assert (served.status_code, served.data) == (200, b"".join(services.blobs.read(context.blob)))
    refused = desk.get(f"/staff/bundles/{bundle.id}.zip")
    assert (refused.status, "photos/02-close-up.jpg.age is not as it was sealed" in refused.text) == (422, True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CAPTURE_VAR", str(services.settings.var))
        (problem,) = [one for one in find_problems() if one.subject == "stored parts"]
    assert not problem.ok
    assert f"{asked.practice.ods} {asked.receipt} (part-altered)" in problem.fact
    file_of(services, close_up.blob).write_bytes(whole)
    assert scrub_all(services).damaged == {}
    assert "damaged in storage" not in desk.get(f"/staff/bundles/{bundle.id}").text
    assert events_of(services, asked).count("part whole") == 1


def test_a_missing_part_is_found(services: Services, asked: ARequest) -> None:
    """A part that is gone from the store is told as missing; once its photo is deleted nothing is left of the finding."""
    make_submitted(services, asked)
    (photo,) = photos_of(services, asked)
    file_of(services, photo.blob).unlink()
    assert scrub_all(services).damaged == {photo.blob: "part-missing"}
    with services.database.write() as db:
        assert [one[1:3] for one in scrubbing.list_damages(db, 9)] == [(asked.receipt, "part-missing")]
        db.delete(db.merge(photo))
    with services.database.read() as db:
        assert scrubbing.list_damages(db, 9) == []
    assert scrub_all(services) == Found()


def test_what_goes_as_it_is_read_is_no_damage(services: Services, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that is taken anew between the list and the look is not reported: its part had to go."""
    agree_patient(services, asked)
    take_photo(services, asked)
    read_again = scrub.read_again

    def replaced_first(services: Services, part: scrubbing.StoredPart) -> str:
        take_photo(services, asked)
        return read_again(services, part)

    monkeypatch.setattr(scrub, "read_again", replaced_first)
    assert scrub_all(services).damaged == {}
    assert "part damaged" not in events_of(services, asked)


def test_each_part_is_read_once_in_its_days(
    services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part has one turn in `scrub_days`, spread over them; a worker that starts anew goes on where the last one was."""
    agree_patient(services, asked)
    for _ in range(12):
        other = make_request(services, asked.practice)
        agree_patient(services, other)
        take_photo(services, other)
    seen: list[str] = []
    read_again = scrub.read_again

    def noted(services: Services, part: scrubbing.StoredPart) -> str:
        seen.append(part.photo_id)
        return read_again(services, part)

    monkeypatch.setattr(scrub, "read_again", noted)
    scrub_due(services)
    halves = []
    for hours in range(0, 7 * 24, 12):
        clock.forward(hours=12)
        scrub_due(replace(services))
        halves.append(len(seen))
        assert hours > 0 or len(seen) < 12
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == 12
    clock.forward(minutes=1)
    scrub_due(services)
    assert len(seen) == 12
    clock.forward(days=7)
    scrub_due(services)
    assert len(seen) == 24


def test_a_sweep_has_an_end(services: Services, asked: ARequest, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep stops when its time is over, and the next one goes on behind it: deliveries never wait for a whole round."""
    agree_patient(services, asked)
    for view in ("context", "close-up", "close-up-scale"):
        take_photo(services, asked, view)
    scrub_due(services)
    clock.forward(days=7)
    monkeypatch.setattr(scrub, "PATIENCE", 0.0)
    assert [scrub_due(services).parts for _ in range(4)] == [1, 1, 1, 0]


def test_a_clock_that_is_set_back_begins_anew(services: Services, asked: ARequest, clock: Clock) -> None:
    """A round that a clock began in the future is begun again: nothing goes unread for as long as that clock was ahead."""
    make_submitted(services, asked)
    clock.forward(days=400)
    scrub_due(services)
    clock.forward(days=-400)
    scrub_due(services)
    clock.forward(days=7)
    assert scrub_due(services).parts == 1


def test_a_store_that_does_not_answer_is_no_damage(services: Services, asked: ARequest) -> None:
    """Where the store cannot be read nothing is noted: the part has its turn again."""
    make_submitted(services, asked)

    class Away(FolderBlobs):
        def read(self, name: str) -> Iterator[bytes]:
            raise Unavailable

    away = replace(services, blobs=Away(Path(services.settings.var) / "blobs"))
    with pytest.raises(Unavailable):
        scrub_all(away)
    assert scrub_all(services).damaged == {}
    assert "part damaged" not in events_of(services, asked)


def test_a_store_that_stalls_is_not_asked_for_ever(services: Services, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults, S3 slow: where the next part takes too long as well the store is away, and no third one is asked for."""
    make_submitted(services, asked, views=VIEWS)
    tried: list[str] = []

    class Stalling(FolderBlobs):
        def read(self, name: str) -> Iterator[bytes]:
            tried.append(name)
            raise Unavailable

    monkeypatch.setattr(scrub, "PATIENCE", 0.0)
    with pytest.raises(Unavailable):
        scrub_all(replace(services, blobs=Stalling(Path(services.settings.var) / "blobs")))
    assert len(tried) == 2


def test_a_part_that_cannot_be_read_stops_nothing(services: Services, asked: ARequest, clock: Clock) -> None:
    """A bad sector: the part is noted and the round goes on, each part behind it and each orphan has its turn."""
    make_submitted(services, asked, views=("context", "close-up"))
    scrub_due(services)
    clock.forward(days=7)
    bad = min(photos_of(services, asked), key=lambda photo: photo.id)
    path = file_of(services, bad.blob)
    whole = path.read_bytes()
    path.unlink()
    path.mkdir()
    orphan = new_name(asked.id)
    services.blobs.put(orphan, b"x")
    age(services, clock, orphan, days=2)
    found = scrub_due(services)
    assert (found.parts, found.damaged, found.orphans) == (2, {bad.blob: "part-unreadable"}, 1)
    path.rmdir()
    path.write_bytes(whole)
    assert scrub_all(services).damaged == {}


def test_a_store_that_stumbles_once_is_no_damage(services: Services, asked: ARequest) -> None:
    """What can be read at a second try is whole."""
    make_submitted(services, asked, views=("context", "close-up"))
    stumbles = iter([True])

    class Stumbling(FolderBlobs):
        def read(self, name: str) -> Iterator[bytes]:
            if next(stumbles, False):
                raise Unavailable
            return super().read(name)

    assert scrub_all(replace(services, blobs=Stumbling(Path(services.settings.var) / "blobs"))).damaged == {}


def test_orphans_go_after_a_day(services: Services, asked: ARequest, clock: Clock) -> None:
    """What a crash left without a row goes once it is a day old; parts of photos stay, however old, and so does what is younger."""
    make_submitted(services, asked)
    (photo,) = photos_of(services, asked)
    old, young, ahead, foreign = new_name(asked.id), new_name(asked.id), new_name(asked.id), new_name(new_id())
    for name in (old, young, ahead, foreign):
        services.blobs.put(name, b"x")
    torn = f"{asked.id}/.{'0' * 16}.part"
    file_of(services, torn).write_bytes(b"half")
    for name in (old, foreign, torn, photo.blob):
        age(services, clock, name, days=2)
    age(services, clock, young, hours=23)
    age(services, clock, ahead, days=-40)
    assert scrub_all(services).orphans == 3
    assert [name for name, _ in services.blobs.names()] == sorted([photo.blob, young, ahead])
    with services.database.read() as db:
        assert deletions.next_blobs(db, "", 9) == []


def test_an_upload_that_hangs_keeps_its_part(services: Services, asked: ARequest) -> None:
    """The clock jumps while an upload runs: its part stays, since its request may still take photos, and goes with the others."""
    agree_patient(services, asked)
    written, swept = Event(), Event()

    class Slow(FolderBlobs):
        def put(self, name: str, data: bytes) -> None:
            super().put(name, data)
            written.set()
            swept.wait(20)

    slow = replace(services, blobs=Slow(Path(services.settings.var) / "blobs"))
    lost = new_name(asked.id)
    services.blobs.put(lost, b"of a process that died")
    jumped = replace(services, clock=lambda: datetime.now(UTC) + timedelta(days=40))  # files are dated by the machine's own clock
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(take_photo, slow, asked)
        assert written.wait(20)
        assert scrub_all(jumped).orphans == 0
        swept.set()
        upload.result(20)
    assert scrub_all(jumped) == Found(1, photos_of(services, asked)[0].sealed_size)
    submit(services, asked.id, "")
    assert scrub_all(jumped).orphans == 1
    assert [name for name, _ in services.blobs.names()] == [photos_of(services, asked)[0].blob]

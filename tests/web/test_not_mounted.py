"""Faults: the folder of sealed photos lies on a share that is not mounted, so that an empty one stands in its place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from capture.actions.delete_now import delete_now
from capture.actions.deliver import deliver_next
from capture.actions.purge import purge
from capture.actions.scrub import scrub_all
from capture.app import make_services
from capture.check import find_problems
from capture.errors import Unavailable
from capture.services import Services
from capture.store import deletions
from capture.store.models import Delivery
from tests.builders import ARequest, agree_patient, make_request, make_submitted, take_photo
from tests.conftest import Clock
from tests.web.desk import events_of, state_of

Restart = Callable[[], Services]


@pytest.fixture
def restart(services: Services) -> Iterator[Restart]:
    """Start the service anew, on what is there by now."""
    made: list[Services] = []

    def start() -> Services:
        made.append(make_services(services.settings, clock=services.clock))
        made[-1].cleaner.close()
        return replace(made[-1], cleaner=services.cleaner)

    yield start
    for each in made:
        each.database.close()


@contextmanager
def not_mounted(services: Services) -> Iterator[Path]:
    blobs = services.settings.var / "blobs"
    away = blobs.rename(blobs.with_name("away"))
    blobs.mkdir(mode=0o700)
    yield blobs
    blobs.rmdir()  # nothing was put there
    away.rename(blobs)


def stored_is_well(services: Services) -> bool | None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CAPTURE_VAR", str(services.settings.var))
        return next((one.ok for one in find_problems() if one.subject == "sealed photos"), None)


@pytest.mark.parametrize("anew", [False, True])
def test_nothing_is_lost_while_the_share_is_away(
    services: Services, asked: ARequest, clock: Clock, restart: Restart, anew: bool
) -> None:
    """Bundles wait, nothing is called damaged or forgotten, no photo is taken, `capture check` tells; then all goes on."""
    waiting, arriving = make_request(services, asked.practice), make_request(services, asked.practice)
    make_submitted(services, asked)
    make_submitted(services, waiting, delivered=False)
    agree_patient(services, arriving)
    with not_mounted(services):
        now = restart() if anew else services
        assert deliver_next(now)
        with pytest.raises(Unavailable, match="Nothing was lost"):
            scrub_all(now)
        with pytest.raises(Unavailable):
            take_photo(now, arriving)
        delete_now(now, asked.practice.id, asked.id, actor="a")
        purge(now)
        assert stored_is_well(now) is False
    with now.database.read() as db:
        assert [(row.state, row.last_error) for row in db.query(Delivery).filter_by(state="queued")] == [("queued", "unavailable")]
        assert len(deletions.next_blobs(db, "", 9)) == 1
    assert "part damaged" not in events_of(now, waiting)
    purge(now)
    assert stored_is_well(now) is None
    with now.database.read() as db:
        assert deletions.next_blobs(db, "", 9) == []
    take_photo(now, arriving)
    clock.forward(hours=1)
    assert deliver_next(now)
    assert state_of(now, waiting) == "delivered"
    assert scrub_all(now).damaged == {}


@pytest.mark.parametrize("anew", [False, True])
def test_a_store_of_a_version_before_is_known(services: Services, asked: ARequest, restart: Restart, anew: bool) -> None:
    """A folder without the mark that holds sealed photos is the store, at a start and when it is mounted later."""
    make_submitted(services, asked)
    blobs = services.settings.var / "blobs"
    (mark,) = (path for path in blobs.iterdir() if path.is_file())
    mark.unlink()
    with not_mounted(services):
        now = restart() if anew else services
        with pytest.raises(Unavailable):
            scrub_all(now)
    assert stored_is_well(now) is None
    assert scrub_all(now).parts == 1
    assert mark.exists()


def test_a_store_without_photos_begins_anew(services: Services, asked: ARequest, restart: Restart) -> None:
    """Where no photo counts yet an empty folder is the store, whatever was there before."""
    with not_mounted(services) as blobs:
        agree_patient(services, asked)
        take_photo(restart(), asked)
        assert scrub_all(services).parts == 1
        services.blobs.delete(next(services.blobs.names())[0])
        for path in blobs.iterdir():
            path.unlink()

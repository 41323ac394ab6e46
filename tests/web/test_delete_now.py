"""A manager deletes a request before its time: the one way that photos go which nobody opened, or which never arrived."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from capture.actions.back_up import back_up
from capture.actions.cancel import cancel
from capture.actions.collect import collect
from capture.actions.delete_now import delete_now
from capture.actions.deliver import deliver_next
from capture.actions.purge import purge
from capture.actions.restore import mend
from capture.actions.scrub import scrub_all
from capture.errors import Conflict, Unavailable
from capture.inbox.base import BundleFiles, Place, Placed
from capture.services import Services
from capture.store import audit
from capture.store.blobs import FolderBlobs
from capture.store.database import Database
from capture.store.models import AuditEvent, Delivery
from tests.builders import VIEWS, ARequest, make_member, make_practice, make_request, make_submitted, photos_of
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.desk import act, events_of, state_of
from tests.web.html import Visitor, staff


@pytest.mark.parametrize("delivered", [False, True])
def test_photos_go_because_a_manager_says_so(services: Services, desk: Visitor, asked: ARequest, delivered: bool) -> None:
    """SECURITY 41: after a page that says what is lost, rows and parts are gone at once, and the trail says who did it."""
    make_submitted(services, asked, delivered=delivered)
    (photo,) = photos_of(services, asked)
    other = make_request(services, asked.practice)
    make_submitted(services, other, delivered=False)
    page = desk.get(desk.get(f"/staff/requests/{asked.id}").link("Delete this request now"))
    assert "Nobody has opened these photos" in page.text
    assert ("not arrived everywhere" in page.text) != delivered
    assert state_of(services, asked) == ("delivered" if delivered else "submitted")
    done = desk.follow(desk.submit(page, to="/delete"))
    assert "The request is deleted for good." in done.text
    assert "Photos and details deleted before their time by Robin Reception" in done.text
    assert asked.label not in done.text
    assert (state_of(services, asked), photos_of(services, asked)) == ("purged", [])
    stored = b"".join(path.read_bytes() for path in Path(services.settings.var).rglob("*") if path.is_file())
    assert photo.facts_sealed[20:80] not in stored
    assert photo.blob not in [name for name, _ in services.blobs.names()]
    with services.database.read() as db:
        (event,) = db.query(AuditEvent).filter_by(action="request deleted").all()
        assert event.facts == f'{{"arrived": "{"yes" if delivered else "no"}", "opened": "no"}}'
        assert audit.check_chain(db, asked.practice.id) == ""
        assert db.query(Delivery).filter_by(state="dropped").count() == (not delivered)
    assert deliver_next(services)  # what came after it is not held up
    assert not deliver_next(services)
    assert state_of(services, other) == "delivered"
    assert desk.get("/staff/practice/deliveries").status == 200
    assert act(desk, asked, "delete").status == 409


@pytest.mark.parametrize("final", [True, False])
def test_what_was_on_its_way(services: Services, desk: Visitor, asked: ARequest, final: bool) -> None:
    """Photos that reach an inbox after they were deleted are not noted as delivered; the trail and the page say where they are."""

    class Slow:
        """An inbox that takes its time, in which a manager deletes the request."""

        def put(self, _bundle: BundleFiles) -> Placed:
            assert act(desk, asked, "delete").status == 303
            return Placed("there", final=final)

    services.inboxes["elm"] = Place("the bucket", Slow())  # type: ignore[index]
    make_submitted(services, asked, delivered=False)
    while deliver_next(services):
        pass
    assert events_of(services, asked)[-2:] == ["request deleted", "delivery after deletion"]
    assert state_of(services, asked) == "purged"
    with services.database.read() as db:
        assert db.query(Delivery).filter_by(inbox="elm").one().state == "dropped"
    assert "when they were deleted have reached an inbox" in desk.get(f"/staff/requests/{asked.id}").text


def test_a_deletion_that_counts_is_said_to(
    services: Services, desk: Visitor, asked: ARequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database's journal cannot be emptied just then the page says that it is deleted: the worker does the rest."""

    def away(_database: Database) -> bool:
        raise Unavailable

    make_submitted(services, asked)
    monkeypatch.setattr(Database, "forget_deleted", away)
    assert "The request is deleted for good." in desk.follow(act(desk, asked, "delete")).text
    assert state_of(services, asked) == "purged"


def test_a_store_that_stalls_keeps_no_manager_waiting(services: Services, asked: ARequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults, S3 slow: the request is deleted; the first part that takes too long leaves the others to the worker."""
    make_submitted(services, asked, views=VIEWS)
    tried: list[str] = []

    def stall(_store: FolderBlobs, name: str) -> None:
        tried.append(name)
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr("capture.actions.purge.PATIENCE", 0.0)
        patched.setattr(FolderBlobs, "delete", stall)
        delete_now(services, asked.practice.id, asked.id, actor="a")
    assert (state_of(services, asked), len(tried)) == ("purged", 1)
    purge(services)
    assert list(services.blobs.names()) == []


def test_a_part_that_a_backup_gives_back_meanwhile_goes(services: Services, asked: ARequest, tmp_path: Path) -> None:
    """Races: a damaged part that is put back out of a backup as its request is deleted does not stay in the store."""
    make_submitted(services, asked)
    back_up(services, tmp_path / "backups", 7)
    (photo,) = photos_of(services, asked)
    services.blobs.delete(photo.blob)
    assert scrub_all(services).damaged

    class Deleting(FolderBlobs):
        def read(self, name: str) -> Iterator[bytes]:
            with suppress(Conflict):
                delete_now(services, asked.practice.id, asked.id, actor="a")
            return super().read(name)

    mending = replace(services, blobs=Deleting(Path(services.settings.var) / "blobs"))
    assert mend(mending, tmp_path / "backups") == ([], [])
    assert list(services.blobs.names()) == []


def test_what_is_not_over_is_not_deleted(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """A link that works is cancelled first; what came to nothing, or was opened, can be deleted without a warning."""
    assert "Delete this request now" not in desk.get(f"/staff/requests/{asked.id}").text
    assert desk.get(f"/staff/requests/{asked.id}/delete").status == 409
    assert act(desk, asked, "delete").status == 409
    cancel(services, asked.practice.id, asked.id, actor="a")
    opened = make_request(services, asked.practice)
    collect(services, asked.practice.id, make_submitted(services, opened).id, actor="a")
    for each in (asked, opened):
        page = desk.get(f"/staff/requests/{each.id}/delete")
        assert "Nobody has opened" not in page.text
        assert "not arrived" not in page.text
        desk.submit(page, to="/delete")
        assert state_of(services, each) == "purged"
    assert purge(services) == 0


@pytest.mark.parametrize("role", ["requester", "reader"])
def test_only_managers_may(services: Services, app: Flask, asked: ARequest, role: str) -> None:
    """Whoever asks or opens sees no such link, and is refused."""
    make_submitted(services, asked)
    visitor = staff(app, session_of(services, make_member(services, asked.practice, role=role)), asked)
    assert "Delete this request now" not in visitor.get(f"/staff/requests/{asked.id}").text
    assert visitor.get(f"/staff/requests/{asked.id}/delete").status == 403
    assert act(visitor, asked, "delete").status == 403
    assert "request deleted" not in events_of(services, asked)


def test_another_practices_request_is_not_there(services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 28 and 29: another practice's request is not found, and without its form's token nothing is deleted."""
    theirs = make_request(services, make_practice(services, name="Elsewhere"))
    for each in (theirs, asked):
        make_submitted(services, each)
    assert desk.get(f"/staff/requests/{theirs.id}/delete").status == 404
    assert act(desk, theirs, "delete").status == 404
    assert desk.open("POST", f"/staff/requests/{asked.id}/delete", data={}).status == 400
    assert (state_of(services, theirs), state_of(services, asked)) == ("delivered", "delivered")

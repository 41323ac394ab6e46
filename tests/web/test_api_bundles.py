"""The API for bundles: listed, fetched whole and in ranges, opened on the practice's side, acknowledged once."""

import io
from pathlib import Path

import pytest
from flask import Flask

from capture.actions.attach import attach
from capture.actions.scrub import scrub_all
from capture.sealing.bundle import open_bundle
from capture.services import Services
from capture.store.models import AuditEvent
from tests.builders import APractice, ARequest, bundle_of, make_request, make_submitted, photos_of
from tests.conftest import Clock
from tests.web.html import Visitor
from tests.web.system import System, error_of, make_system


@pytest.fixture
def system(app: Flask, services: Services, practice: APractice) -> System:
    return make_system(app, services, practice, "bundles:read", "bundles:acknowledge")


@pytest.fixture
def bundle_id(services: Services, asked: ARequest) -> str:
    return make_submitted(services, asked, views=("context", "close-up")).id


def test_lists(services: Services, practice: APractice, clock: Clock, system: System) -> None:
    """Waiting bundles come newest first and page by page; one on its way is not listed, one that was acknowledged elsewhere."""
    made = []
    for _ in range(3):
        clock.forward(minutes=1)
        made.append(make_submitted(services, make_request(services, practice)).id)
    make_submitted(services, make_request(services, practice), delivered=False)
    first = system.get("/bundles?limit=2").json
    last = system.get("/bundles", query_string={"limit": 2, "cursor": first["next"]}).json
    assert [row["id"] for row in first["bundles"] + last["bundles"]] == made[::-1]
    assert last["next"] is None
    assert set(first["bundles"][0]) == {"id", "request_id", "receipt", "state", "created_at", "collected_at"}
    assert system.post(f"/bundles/{made[0]}/acknowledge").status_code == 200
    states = {"waiting": made[:0:-1], "collected": made[:1], "all": made[::-1]}
    assert {state: [row["id"] for row in system.get(f"/bundles?state={state}").json["bundles"]] for state in states} == states
    assert error_of(system.get("/bundles?state=unread")) == (422, "not-valid")


def test_a_bundle_part_by_part(
    services: Services, asked: ARequest, practice: APractice, system: System, bundle_id: str, tmp_path: Path
) -> None:
    """Its parts, each with size, hash and address, put together open on the practice's side; nothing is opened here."""
    told = system.get(f"/bundles/{bundle_id}").json
    names = [part["name"] for part in told["parts"]]
    assert names == ["bundle.json", "bundle.sig", "request.json.age", "photos/01-context.jpg.age", "photos/02-close-up.jpg.age"]
    for part in told["parts"]:
        answer = system.get(part["url"])
        assert (answer.status_code, len(answer.data)) == (200, part["size"])
        assert answer.headers["ETag"].strip('"') == part["sha256"]
        rest = system.get(part["url"], headers={"Range": "bytes=10-", "If-Range": answer.headers["ETag"]})
        assert (rest.status_code, rest.data) == (206, answer.data[10:])
    assert error_of(system.get(f"/bundles/{bundle_id}/parts/photos/03-x.jpg.age")) == (404, "not-found")
    assert error_of(system.get(f"/bundles/{bundle_id}/parts/..%2f..%2fetc%2fpasswd")) == (404, "not-found")
    zipped = system.get(told["zip"]["url"])
    assert len(zipped.data) == told["zip"]["size"]
    with open_bundle(io.BytesIO(zipped.data), [practice.identity], services.signing_key.verifying_key) as opened:
        assert opened.request.label == asked.label
        assert all(opened.read(photo).startswith(b"\xff\xd8\xff") for photo in opened.photos)


def test_a_download_is_resumed(system: System, bundle_id: str) -> None:
    """SECURITY 40: the ZIP comes whole or from any byte on; past its end is told as JSON; each fetch is in the audit trail."""
    path = f"/bundles/{bundle_id}.zip"
    whole = system.get(path)
    etag = whole.headers["ETag"]
    for start in (1, 500, len(whole.data) - 1):
        rest = system.get(path, headers={"Range": f"bytes={start}-", "If-Range": etag})
        assert (rest.status_code, whole.data[:start] + rest.data) == (206, whole.data)
    assert error_of(system.get(path, headers={"Range": "bytes=99999999-"}))[0] == 416
    assert system.get(path, headers={"Range": "bytes=1-", "If-Range": '"other"'}).status_code == 200


def test_acknowledging(services: Services, asked: ARequest, system: System, bundle_id: str, desk: Visitor) -> None:
    """Acknowledging collects, once: again, and after staff attached the photos, it changes nothing; staff read who it was."""
    first, again = (system.post(f"/bundles/{bundle_id}/acknowledge") for _ in range(2))
    assert (first.status_code, first.json["state"], first.json) == (200, "collected", again.json)
    assert first.json["collected_at"] == services.clock().isoformat()
    attach(services, asked.practice.id, bundle_id, actor="x")
    assert system.post(f"/bundles/{bundle_id}/acknowledge").json["state"] == "attached"
    with services.database.read() as db:
        events = db.query(AuditEvent).filter_by(subject=asked.id, actor=f"token:{system.token_id}").all()
        assert [event.action for event in events] == ["request collected"]
    assert "Photos opened by Record system" in desk.get(f"/staff/requests/{asked.id}").text


def test_not_yet_delivered(services: Services, asked: ARequest, system: System) -> None:
    """A bundle that is still on its way cannot be acknowledged, so that it is not delivered to nobody afterwards."""
    bundle = make_submitted(services, asked, delivered=False)
    assert error_of(system.post(f"/bundles/{bundle.id}/acknowledge")) == (409, "not-delivered")


def test_a_damaged_part(services: Services, asked: ARequest, system: System, bundle_id: str) -> None:
    """A stored part that was altered is named, and no archive is torn off half-way; the other parts are still there."""
    photo = next(one for one in photos_of(services, asked) if one.view == "context")
    path = services.settings.var / "blobs" / photo.blob
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for address in (f"/bundles/{bundle_id}.zip", f"/bundles/{bundle_id}/parts/photos/01-context.jpg.age"):
        answer = system.get(address)
        assert error_of(answer) == (422, "part-altered")
        assert "photos/01-context.jpg.age" in answer.json["error"]["sentence"]
    assert system.get(f"/bundles/{bundle_id}/parts/photos/02-close-up.jpg.age").status_code == 200


def test_a_part_that_cannot_be_read(services: Services, asked: ARequest, system: System, bundle_id: str) -> None:
    """A bad sector is told as a store that is away until the scrub has found it; from then on as what it is, by the part's name."""
    photo = next(one for one in photos_of(services, asked) if one.view == "context")
    path = services.settings.var / "blobs" / photo.blob
    path.unlink()
    path.mkdir()
    address = f"/bundles/{bundle_id}.zip"
    assert error_of(system.get(address)) == (503, "unavailable")
    scrub_all(services)
    answer = system.get(address)
    assert error_of(answer) == (422, "part-unreadable")
    assert answer.json["error"]["sentence"] == "photos/01-context.jpg.age cannot be read from the store."
    path.rmdir()
    services.blobs.put(photo.blob, b"x" * photo.sealed_size)
    assert error_of(system.get(address)) == (422, "part-altered")


def test_what_was_fetched_is_recorded(services: Services, asked: ARequest, system: System, bundle_id: str) -> None:
    """SECURITY 40: who fetched a bundle, whole or by the part that opening begins with, is in the audit trail."""
    system.get(f"/bundles/{bundle_id}.zip")
    system.get(f"/bundles/{bundle_id}/parts/request.json.age")
    system.get(f"/bundles/{bundle_id}/parts/bundle.json")
    with services.database.read() as db:
        events = db.query(AuditEvent).filter_by(actor=f"token:{system.token_id}").order_by(AuditEvent.number)
        assert [event.action for event in events] == ["bundle downloaded", "bundle fetched"]
    assert bundle_of(services, asked).collected_at is None

"""Bundles: list, look at one, fetch it whole or part by part, acknowledge it."""

from dataclasses import replace
from typing import Any

from flask import Response, g, jsonify, url_for
from flask import request as call

from capture.actions.acknowledge import acknowledge
from capture.actions.deliver import bundle_files
from capture.domain.requests import State
from capture.errors import NotFound
from capture.inbox.base import BundleFile, BundleFiles, check_whole
from capture.sealing.archive import archive_size
from capture.sealing.contents import REQUEST_PART
from capture.store import audit, pages, photos, requests
from capture.store.models import Bundle, Request
from capture.web import services
from capture.web.api import reading
from capture.web.api.calls import blueprint, needs
from capture.web.downloads import send_archive

WAITING, COLLECTED = (State.DELIVERED,), (State.COLLECTED, State.ATTACHED)
LISTS = {"waiting": WAITING, "collected": COLLECTED, "all": WAITING + COLLECTED}


@blueprint.get("/bundles")
@needs("bundles:read")
def list_bundles() -> Response:
    """A page of bundles, the newest first: those that nobody has opened, unless others are asked for."""
    reading.check_query(("state", "limit", "cursor"))
    states, paging = LISTS[reading.chosen("state", LISTS, "waiting")], reading.paging()
    with services().database.read() as db:
        rows = pages.page_bundles(db, g.practice.id, states=states, after=paging.after, limit=paging.limit + 1)
    last = rows[paging.limit - 1][0] if len(rows) > paging.limit else None
    shown = [_outside(*row) for row in rows[: paging.limit]]
    return jsonify(bundles=shown, next=reading.cursor_of((last.created_at, last.id)) if last else None)


@blueprint.get("/bundles/<id:bundle_id>")
@needs("bundles:read")
def show_bundle(bundle_id: str) -> Response:
    """One bundle: what it consists of, and where each part is."""
    bundle, request, files = _find(bundle_id)
    parts = [
        {
            "name": file.name,
            "size": file.size,
            "sha256": file.sha256,
            "url": url_for(".fetch_part", bundle_id=bundle.id, name=file.name),
        }
        for file in files.files
    ]
    size = archive_size(files.entries)
    zipped = {"size": size, "url": url_for(".fetch_zip", bundle_id=bundle.id)}
    return jsonify({**_outside(bundle, request), "zip": zipped, "parts": parts})


@blueprint.get("/bundles/<id:bundle_id>/parts/<path:name>")
@needs("bundles:read")
def fetch_part(bundle_id: str, name: str) -> Response:
    """One sealed part, or a range of it."""
    bundle, _, files = _find(bundle_id)
    for file in files.files:
        if file.name == name:
            check_whole(replace(files, files=(file,)))  # a part that is damaged is an error that names it, not a file torn off
            if name == REQUEST_PART:  # without it nothing of a bundle can be checked, so this is where opening begins
                _note("bundle fetched", bundle)
            return _send(file)
    raise NotFound


@blueprint.get("/bundles/<id:bundle_id>.zip")
@needs("bundles:read")
def fetch_zip(bundle_id: str) -> Response:
    """The bundle as `capture open` takes it, or a range of it."""
    bundle, _, files = _find(bundle_id)
    check_whole(files)
    _note("bundle downloaded", bundle)
    return send_archive(files.entries, f"capture-{files.receipt}.zip", bundle.signature)


@blueprint.post("/bundles/<id:bundle_id>/acknowledge")
@needs("bundles:acknowledge")
def acknowledge_bundle(bundle_id: str) -> Response:
    """The other system has it, opened and checked; again the answer is the same."""
    acknowledge(services(), g.practice.id, bundle_id, actor=g.token.actor)
    bundle, request, _ = _find(bundle_id)
    return jsonify(_outside(bundle, request))


def _find(bundle_id: str) -> tuple[Bundle, Request, BundleFiles]:
    with services().database.read() as db:
        bundle = photos.find_bundle(db, g.practice.id, bundle_id)
        return bundle, requests.find_request(db, g.practice.id, bundle.request_id), bundle_files(services(), db, bundle)


def _outside(bundle: Bundle, request: Request) -> dict[str, Any]:
    """What is known of a bundle without opening it."""
    return {
        "id": bundle.id,
        "request_id": bundle.request_id,
        "receipt": request.receipt,
        "state": request.state,
        "created_at": bundle.created_at.isoformat(),
        "collected_at": bundle.collected_at.isoformat() if bundle.collected_at else None,
    }


def _send(file: BundleFile) -> Response:
    response = Response(file.read(), mimetype="application/octet-stream")
    response.content_length = file.size
    response.set_etag(file.sha256)
    response.make_conditional(call, accept_ranges=True, complete_length=file.size)
    return response


def _note(action: str, bundle: Bundle) -> None:
    """Record what was fetched (SECURITY 40)."""
    with services().database.write() as db:
        audit.append(db, g.practice.id, actor=g.token.actor, action=action, subject=bundle.request_id, at=services().clock())

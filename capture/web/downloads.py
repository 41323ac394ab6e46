"""Encrypted bundles as files: one, several, or all that nobody has opened; streamed, and resumed where a download broke off."""

import hashlib
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions.deliver import bundle_files
from capture.domain import policies
from capture.errors import Conflict, NotFound
from capture.inbox.base import BundleFiles, check_whole
from capture.sealing.archive import MOST, Entry, archive_size, stream_archive
from capture.store import audit, photos
from capture.store.models import Bundle
from capture.web import services
from capture.web.sign_in import load_member

MOST_BUNDLES = 100
blueprint = Blueprint("downloads", __name__, url_prefix="/staff")
blueprint.before_request(load_member)


@blueprint.get("/bundles/<id:bundle_id>.zip")
def one(bundle_id: str) -> Response:
    """An encrypted bundle, as `capture open` takes it."""
    policies.check_may_open(g.role)
    ((bundle, files),) = _found([bundle_id])
    check_whole(files)  # a part that is damaged is a page that names it, not an archive torn off
    _note([bundle])
    return send_archive(files.entries, f"capture-{files.receipt}.zip", bundle.signature)


@blueprint.get("/bundles.zip")
def several() -> BaseResponse:
    """The bundles named by `bundle`, each a ZIP of its own in one archive; without a name all that nobody has opened."""
    policies.check_may_open(g.role)
    wanted = list(dict.fromkeys(request.args.getlist("bundle")))
    if not wanted and "chosen" in request.args:
        return redirect(url_for("staff.inbox", unticked="", _anchor="download"), 303)  # which says so above the button
    if not wanted:
        with services().database.read() as db:
            wanted = [bundle.id for bundle in photos.list_unread(db, g.practice.id)]
    if not wanted:
        raise Conflict("There are no photos that nobody has opened.")
    if len(wanted) > MOST_BUNDLES:
        raise Conflict(f"These are too many at once. Choose {MOST_BUNDLES} at most.")
    found = _found(wanted)
    for _, files in found:
        check_whole(files)
    entries = [_as_entry(bundle, files) for bundle, files in found]
    if archive_size(entries) > MOST:
        raise Conflict("These are too large for one download. Choose fewer.")
    _note([bundle for bundle, _ in found])
    return send_archive(entries, "capture-bundles.zip", b"".join(bundle.signature for bundle, _ in found))


def _found(bundle_ids: Sequence[str]) -> list[tuple[Bundle, BundleFiles]]:
    """The practice's bundles with these ids; NotFound where one is not there, or another practice's (SECURITY 28)."""
    if not all(len(bundle_id) == 32 and bundle_id.isalnum() for bundle_id in bundle_ids):
        raise NotFound
    with services().database.read() as db:
        bundles = [photos.find_bundle(db, g.practice.id, bundle_id) for bundle_id in bundle_ids]
        return [(bundle, bundle_files(services(), db, bundle)) for bundle in bundles]


def _as_entry(bundle: Bundle, files: BundleFiles) -> Entry:
    """A bundle as one file of a larger archive."""
    return Entry(
        f"capture-{files.receipt}.zip", archive_size(files.entries), bundle.created_at, partial(stream_archive, files.entries)
    )


def send_archive(entries: list[Entry], name: str, state: bytes) -> Response:
    """The archive, or the part of it that was asked for (RFC 9110, 14.2); `state` is other bytes for other contents."""
    size = archive_size(entries)
    response = Response(stream_archive(entries), mimetype="application/zip")
    response.content_length = size
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.set_etag(hashlib.sha256(state).hexdigest())
    response.make_conditional(request, accept_ranges=True, complete_length=size)
    return response


def _note(bundles: Sequence[Bundle]) -> None:
    """Record who downloaded what (SECURITY 40), each time a part of it is sent."""
    with services().database.write() as db:
        for bundle in bundles:
            audit.append(
                db, g.practice.id, actor=g.member.id, action="bundle downloaded", subject=bundle.request_id, at=services().clock()
            )

"""What a patient sent, for the practice: the page that opens it, its sealed parts, and what staff say they did with it."""

from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import attach, collect
from capture.actions.deliver import bundle_files
from capture.domain import policies, presets
from capture.domain.protocols import describe_site
from capture.domain.requests import State
from capture.domain.retention import purge_due
from capture.errors import NotFound
from capture.sealing.contents import MANIFEST, REQUEST_PART, Manifest
from capture.sealing.records import from_json
from capture.store import audit, photos, recipients, requests, scrubbing
from capture.store.models import Bundle, Request
from capture.store.unlockers import list_unlockers
from capture.web import services
from capture.web.sign_in import load_member

blueprint = Blueprint("bundles", __name__, url_prefix="/staff")
blueprint.before_request(load_member)


@blueprint.get("/bundles/<id:bundle_id>")
def show_bundle(bundle_id: str) -> str:
    """The page that opens a bundle in the browser."""
    policies.check_may_open(g.role)
    with services().database.write() as db:
        bundle = photos.find_bundle(db, g.practice.id, bundle_id)
        _note(db, "bundle viewed", bundle.request_id)
        request = requests.find_request(db, g.practice.id, bundle.request_id)
        details = requests.details_of(db, request)
        order = _order(db, bundle, request.receipt)
        case = _case(db, request)
        damaged = [
            {"title": services().catalogue.title_of(photo.view), "found_at": damage.found_at}
            for photo, damage in scrubbing.damages_of(db, [request.id]).get(request.id, [])
        ]
        waiting = [other.id for other in photos.list_unread(db, g.practice.id) if other.id != bundle.id]
    site, kept_days = services().catalogue.site(details.site), g.practice.keep_attached_days
    return render_template(
        "staff/bundle.jinja",
        order=order,
        case=case,
        damaged=damaged,
        waiting=waiting,
        state=request.state,
        kept_days=kept_days,
        kept_until=purge_due(State(request.state), request.changed_at, kept_days, g.practice.keep_collected_days),
        label=details.label or details.reference or "a patient",
        site_text=describe_site(site, details.side),
        sensitive=site.intimate,
        count=len(order["parts"]) - 1,
        submitted_at=request.submitted_at,
        presets=presets.for_script(services().presets, g.practice.preset),
        zip_url=url_for("downloads.one", bundle_id=bundle.id),
    )


def _case(db: Session, request: Request) -> list[dict[str, object]]:
    """The other bundles about the same skin, oldest first."""
    rows = [(row, photos.bundle_of_request(db, row.id)) for row in requests.list_case(db, request) if row.id != request.id]
    return [
        {
            "url": url_for(".show_bundle", bundle_id=bundle.id),
            "receipt": row.receipt,
            "submitted_at": row.submitted_at,
            "count": len(photos.current_photos(db, row.id)),
            "later": bundle.created_at > request.submitted_at,
        }
        for row, bundle in rows
        if bundle and bundle.manifest and request.submitted_at
    ]


def _order(db: Session, bundle: Bundle, receipt: str) -> dict[str, Any]:
    """What the page's script is asked to open (static/js/open/bundle.js)."""
    files = bundle_files(services(), db, bundle).files
    parts = [{"name": file.name, "size": file.size, "url": url_for(".part", bundle_id=bundle.id, name=file.name)} for file in files]
    manifest, signature, *sealed = parts
    return {
        "bundle": bundle.id,
        "request": bundle.request_id,
        "practice": g.practice.ods,
        "receipt": receipt,
        "manifestUrl": manifest["url"],
        "signatureUrl": signature["url"],
        "parts": sealed,
        "identities": _identities(db, bundle),
    }


def _identities(db: Session, bundle: Bundle) -> list[dict[str, object]]:
    """The identity files that open this bundle; all of the practice's where none does, so that the page can say why.

    A newer file comes with the key that it was made in place of, so it opens what is older too (static/js/keys/making.js).
    """
    manifest = from_json(Manifest, bundle.manifest, MANIFEST)
    keys = recipients.list_identities(db, g.practice.id)
    fitting = [key for key in keys if key.fingerprint in manifest.recipients] or keys
    files = [(key, file) for key in fitting for file in (key, *keys[: keys.index(key)]) if file is key or not file.retired_at]
    passkeys = list_unlockers(db, g.practice.id, g.member.id)
    return [
        {
            "fingerprint": key.fingerprint,
            "url": url_for(".identity", recipient_id=file.id),
            "passkeys": [
                {"name": one.name, "credential": one.credential, "url": url_for("unlockers.unlocker_file", unlocker_id=one.id)}
                for one in passkeys
                if one.recipient_id == file.id
            ],
        }
        for key, file in files
    ]


@blueprint.get("/bundles/<id:bundle_id>/parts/<path:name>")
def part(bundle_id: str, name: str) -> Response:
    """One sealed part, as it lies in the store."""
    policies.check_may_open(g.role)
    with services().database.read() as db:
        bundle = photos.find_bundle(db, g.practice.id, bundle_id)
        files = bundle_files(services(), db, bundle).files
    for found in files:
        if found.name == name:
            pieces = found.read()
            if name == REQUEST_PART:  # without it nothing of a bundle can be checked, so this is where opening begins
                with services().database.write() as db:
                    _note(db, "bundle fetched", bundle.request_id)
            response = Response(pieces, mimetype="application/octet-stream")
            response.content_length = found.size
            return response
    raise NotFound


@blueprint.post("/bundles/<id:bundle_id>/collected")
def collected(bundle_id: str) -> tuple[dict[str, bool], int]:
    """The browser has opened the bundle and found it whole."""
    policies.check_may_open(g.role)
    collect.collect(services(), g.practice.id, bundle_id, actor=g.member.id)
    return {"ok": True}, 200


@blueprint.post("/bundles/<id:bundle_id>/attached")
def attached(bundle_id: str) -> BaseResponse:
    """The photos are with the referral: the request is done."""
    policies.check_may_open(g.role)
    request_id = attach.attach(services(), g.practice.id, bundle_id, actor=g.member.id)
    return redirect(url_for("staff.show_request", request_id=request_id), 303)


@blueprint.get("/identities/<id:recipient_id>.age")
def identity(recipient_id: str) -> Response:
    """One of the practice's identity files, under its passphrase."""
    policies.check_may_open(g.role)
    with services().database.write() as db:
        for key in recipients.list_identities(db, g.practice.id):
            if key.id == recipient_id and key.identity_file is not None:
                _note(db, "key file fetched", key.id)
                return Response(key.identity_file, mimetype="application/octet-stream")
    raise NotFound


def _note(db: Session, action: str, subject: str) -> None:
    """Record what a member looked at (SECURITY 40)."""
    audit.append(db, g.practice.id, actor=g.member.id, action=action, subject=subject, at=services().clock())

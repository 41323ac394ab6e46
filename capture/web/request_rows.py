"""Requests as the practice's pages show them; two statements for as many as there are."""

from collections.abc import Sequence
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from capture.domain.following import STATES
from capture.domain.identifiers import show_nhs_number
from capture.domain.protocols import describe_site
from capture.domain.requests import DONE, UNSETTLED, State, shown_state
from capture.store import listings
from capture.store.models import Request
from capture.store.requests import details_of
from capture.web import services


def rows_of(db: Session, found: Sequence[Request]) -> list[dict[str, Any]]:
    """What the templates show of each request."""
    ids = [request.id for request in found]
    photos, bundles = listings.count_photos(db, ids), listings.bundle_ids(db, ids)
    return [_row(db, request, photos.get(request.id, 0), bundles.get(request.id)) for request in found]


def _row(db: Session, request: Request, photos: int, bundle_id: str | None) -> dict[str, Any]:
    details, catalogue = details_of(db, request), services().catalogue
    state = shown_state(State(request.state), services().clock(), request.expires_at)
    text, colour = STATES[state]
    deleted = state is State.PURGED
    return {
        "id": request.id,
        "name": "Deleted request" if deleted else details.label or details.reference or "No name given",
        "label": details.label,
        "reference": details.reference,
        "nhs_number": show_nhs_number(details.nhs_number),
        "message": details.message,
        "site_text": "" if deleted else describe_site(catalogue.site(details.site), details.side),
        "protocol_title": catalogue.protocol(details.protocol).title,
        "views": [view.title for view in catalogue.views_of(details.protocol, request.views) if request.views and not view.extra],
        "follows": details.follows,
        "again": details.again,
        "state": state,
        "state_text": text,
        "state_colour": colour,
        "flagged_at": request.flagged_at if state in UNSETTLED else None,
        "done": state in DONE,
        "issued_at": request.issued_at,
        "expires_at": request.expires_at,
        "submitted_at": request.submitted_at,
        "deleted_at": request.changed_at if deleted else None,
        "photos": photos,
        "receipt": request.receipt,
        "url": url_for("staff.show_request", request_id=request.id),
        "bundle_id": bundle_id,
        "bundle_url": url_for("bundles.show_bundle", bundle_id=bundle_id) if bundle_id and not deleted else None,
    }

"""The practice's pages: following and opening; asking is in asking.py."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import cancel
from capture.domain import policies
from capture.domain.identifiers import show_nhs_number
from capture.domain.protocols import describe_site
from capture.domain.requests import State, can_move, shown_state
from capture.store import audit, photos, requests
from capture.store.models import Member, Request
from capture.web import asking, request_templates, services
from capture.web.sign_in import load_member

LIST_LIMIT = 200
WAITING = {State.SUBMITTED, State.DELIVERED}
"""Photos that nobody has opened: the inbox shows every one of them, however old."""
blueprint = Blueprint("staff", __name__, url_prefix="/staff")
blueprint.before_request(load_member)
blueprint.register_blueprint(asking.blueprint)
blueprint.register_blueprint(request_templates.blueprint)
Answer = BaseResponse | str | tuple[str, int]

STATES = {
    State.SENT: ("Link not opened yet", "grey"),
    State.OPENED: ("Link opened", "blue"),
    State.CONFIRMED: ("Taking photos", "blue"),
    State.SUBMITTED: ("Photos on their way", "yellow"),
    State.DELIVERED: ("Photos waiting", "green"),
    State.COLLECTED: ("Photos opened", "white"),
    State.ATTACHED: ("Attached", "white"),
    State.CANCELLED: ("Cancelled", "grey"),
    State.EXPIRED: ("Link expired", "orange"),
    State.LOCKED: ("Locked: wrong date of birth", "red"),
    State.PURGED: ("Deleted", "grey"),
    State.DRAFTED: ("Draft", "grey"),
}
EVENTS = {
    "request sent": "Link issued",
    "request opened": "Someone opened the link and gave a wrong date of birth",
    "request confirmed": "Patient gave their date of birth",
    "request agreed": "Patient agreed to how the photos are used",
    "another phone asked": "Patient made a link to go on with another phone",
    "another phone joined": "Another phone went on with the photos",
    "photo arrived": "A photo arrived and was sealed",
    "photo kept": "The patient chose to use a photo that may not be clear",
    "photo skipped": "Patient said that a photo cannot be taken",
    "request submitted": "Patient sent the photos",
    "request delivered": "Photos are in the practice's inbox",
    "request collected": "Photos opened",
    "bundle opened": "Photos opened again",
    "bundle viewed": "Opening page shown",
    "bundle downloaded": "Encrypted bundle downloaded",
    "request attached": "Attached to the referral",
    "request cancelled": "Request cancelled",
    "request locked": "Link locked after 20 wrong dates of birth",
    "link locked": "Link locked after 20 wrong dates of birth; the patient, who is in already, can finish",
    "request expired": "Link expired",
}


@blueprint.get("/")
def inbox() -> Answer:
    """Photos that wait on top, then everything else."""
    with services().database.read() as db:
        waiting = [_row(db, row) for row in requests.list_requests(db, g.practice.id, WAITING)]
        others = [_row(db, row) for row in requests.list_requests(db, g.practice.id, set(State) - WAITING, LIST_LIMIT)]
    return render_template("staff/inbox.jinja", waiting=waiting, others=others)


@blueprint.get("/requests/<id:request_id>")
def show_request(request_id: str) -> Answer:
    """One request and what has happened to it."""
    with services().database.read() as db:
        found = requests.find_request(db, g.practice.id, request_id)
        row = _row(db, found)
        events = audit.list_events(db, g.practice.id, found.id)
        timeline = [
            {"at": event.at, "text": EVENTS[event.action] + _who(db, event.actor)} for event in events if event.action in EVENTS
        ]
    can_cancel = can_move(State(found.state), State.CANCELLED)
    return render_template("staff/request.jinja", row=row, timeline=timeline, can_cancel=can_cancel)


@blueprint.post("/requests/<id:request_id>/cancel")
def cancel_request(request_id: str) -> Answer:
    """Take a request back."""
    policies.check_may_ask(g.role)
    cancel.cancel(services(), g.practice.id, request_id, actor=g.member.id)
    return redirect(url_for(".show_request", request_id=request_id), 303)


def _row(db: Session, row: Request) -> dict[str, Any]:
    details, now = requests.details_of(db, row), services().clock()
    state = shown_state(State(row.state), now, row.expires_at)
    bundle = photos.bundle_of_request(db, row.id)
    catalogue = services().catalogue
    text, colour = STATES[state]
    return {
        "id": row.id,
        "label": details.label,
        "reference": details.reference,
        "nhs_number": show_nhs_number(details.nhs_number),
        "message": details.message,
        "site_text": describe_site(catalogue.site(details.site), details.side),
        "protocol_title": catalogue.protocol(details.protocol).title,
        "follows": details.follows,
        "state": state,
        "state_text": text,
        "state_colour": colour,
        "issued_at": row.issued_at,
        "expires_at": row.expires_at,
        "submitted_at": row.submitted_at,
        "photos": len(photos.current_photos(db, row.id)),
        "receipt": row.receipt,
        "url": url_for(".show_request", request_id=row.id),
        "bundle_url": url_for("bundles.show_bundle", bundle_id=bundle.id) if bundle else None,
    }


@blueprint.app_context_processor
def what_the_role_may() -> dict[str, bool]:
    """For the templates: what to offer at all."""
    role = g.get("role", "")
    return {"may_ask": policies.may_ask(role), "may_open": policies.may_open(role)}


def _who(db: Session, actor: str) -> str:
    member = db.get(Member, actor)
    return f" by {member.name}" if member else ""

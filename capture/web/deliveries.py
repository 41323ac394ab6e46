"""How the practice's bundles get to its inboxes: what did not arrive and why, what is on its way, what arrived."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions.hurry_delivery import hurry_delivery
from capture.domain.deliveries import SENTENCES
from capture.store import delivery_list, scrubbing
from capture.web import services

blueprint = Blueprint("deliveries", __name__, url_prefix="/deliveries")
MOST_OPEN, PAGE = 100, 50
"""Deliveries that did not arrive on the first page, and those that did on each."""
TAGS = {
    "given up": ("Not delivered", "red"),
    "waiting": ("Waiting", "orange"),
    "queued": ("On its way", "blue"),
    "under way": ("Not collected yet", "yellow"),
    "delivered": ("Arrived", "green"),
}


@blueprint.get("")
def show_deliveries() -> str:
    """Those that did not arrive first, with all that was tried; then the latest that did, page by page."""
    before = request.args.get("before", "")
    with services().database.read() as db:
        missing = [] if before else delivery_list.list_open(db, g.practice.id, MOST_OPEN)
        arrived = delivery_list.list_arrived(db, g.practice.id, PAGE + 1, before)
        more, arrived = len(arrived) > PAGE, arrived[:PAGE]
        rows = [*missing, *arrived]
        tries = delivery_list.tries_of(db, [row.id for row in rows])
        damages = scrubbing.damages_of(db, {row.request_id for row in rows})
    return render_template(
        "staff/deliveries.jinja",
        missing=missing,
        arrived=arrived,
        next=arrived[-1].id if more else "",
        before=before,
        most=MOST_OPEN,
        tries=tries,
        damaged={request_id: len(found) for request_id, found in damages.items()},
        inboxes=services().inboxes,
        now=services().clock(),
        tags=TAGS,
        sentences=SENTENCES,
    )


@blueprint.post("/<id:delivery_id>/again")
def hurry(delivery_id: str) -> BaseResponse:
    """Try again now, or send again what was given up."""
    hurry_delivery(services(), g.practice.id, delivery_id, actor=g.member.id)
    return redirect(url_for(".show_deliveries"), 303)

"""How the practice's bundles get to its inboxes: what arrived, what waits, and when it is tried again."""

from flask import Blueprint, g, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions.hurry_delivery import hurry_delivery
from capture.store import deliveries, scrubbing
from capture.web import services

blueprint = Blueprint("deliveries", __name__, url_prefix="/deliveries")
LIMIT = 100


@blueprint.get("")
def show_deliveries() -> str:
    """Those that wait first, then the latest that arrived."""
    with services().database.read() as db:
        rows = deliveries.list_deliveries(db, g.practice.id, LIMIT)
        damages = scrubbing.damages_of(db, {row.request_id for row in rows})
    damaged = {request_id: len(found) for request_id, found in damages.items()}
    given = {"inboxes": services().inboxes, "now": services().clock(), "limit": LIMIT}
    return render_template("staff/deliveries.jinja", rows=rows, damaged=damaged, **given)


@blueprint.post("/<id:delivery_id>/again")
def hurry(delivery_id: str) -> BaseResponse:
    """Try again now."""
    hurry_delivery(services(), g.practice.id, delivery_id, actor=g.member.id)
    return redirect(url_for(".show_deliveries"), 303)

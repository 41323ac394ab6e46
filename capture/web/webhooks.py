"""Webhooks, for the practice's managers: where they go, what became of the last ones; paused, resumed and tried."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import webhooks as actions
from capture.domain import policies
from capture.store import webhooks
from capture.store.webhooks import GIVE_UP_AFTER, WebhookDelivery
from capture.web import services
from capture.web.sign_in import load_member

blueprint = Blueprint("webhooks", __name__, url_prefix="/staff/webhooks")
blueprint.before_request(load_member)
SHOWN = 20
"""Events of each webhook on the page."""
STATES = {"delivered": ("Sent", "green"), "given up": ("Given up", "red")}


@blueprint.before_request
def check_role() -> None:
    """Managers only, on every page here."""
    policies.check_may_manage(g.role)


@blueprint.get("")
def show_webhooks() -> str:
    """The practice's webhooks, each with its last events."""
    with services().database.read() as db:
        found = [
            {"row": webhook, "events": [_shown(one) for one in webhooks.list_deliveries(db, webhook.id, SHOWN)]}
            for webhook in webhooks.list_webhooks(db, g.practice.id)
        ]
    return render_template("staff/webhooks.jinja", webhooks=found, days=GIVE_UP_AFTER.days)


@blueprint.post("/<id:webhook_id>/pause")
def pause(webhook_id: str) -> BaseResponse:
    """Send nothing there for now."""
    actions.pause_webhook(services(), g.practice.id, webhook_id, paused=True, actor=g.member.id)
    return redirect(url_for(".show_webhooks"), 303)


@blueprint.post("/<id:webhook_id>/resume")
def resume(webhook_id: str) -> BaseResponse:
    """Go on where it was paused."""
    actions.pause_webhook(services(), g.practice.id, webhook_id, paused=False, actor=g.member.id)
    return redirect(url_for(".show_webhooks"), 303)


@blueprint.post("/<id:webhook_id>/try")
def send_test(webhook_id: str) -> BaseResponse:
    """Send a test, and what waits for its next try."""
    actions.try_webhook(services(), g.practice.id, webhook_id, actor=g.member.id)
    return redirect(url_for(".show_webhooks"), 303)


def _shown(event: WebhookDelivery) -> dict[str, Any]:
    text, colour = STATES.get(event.state, ("Will be tried again", "orange") if event.last_error else ("On its way", "blue"))
    return {
        "kind": event.kind,
        "at": event.created_at,
        "text": text,
        "colour": colour,
        "tries": event.attempts,
        "error": event.last_error,
        "due_at": event.due_at if event.state == "queued" and event.last_error else None,
    }

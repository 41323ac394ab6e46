"""The inbox: what waits, what was asked, searching; and one request with what happened to it. What can be done: following.py."""

import json
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import cancel
from capture.domain import policies
from capture.domain.again import can_ask_again, can_extend, can_resend
from capture.domain.following import EVENTS, GROUPS, TO_DO, Group, matcher
from capture.domain.links import read_receipt
from capture.domain.requests import State, can_move
from capture.domain.retention import purge_due
from capture.store import audit, delivery_list, listings, requests
from capture.store.messages import list_messages
from capture.store.models import AuditEvent, Request
from capture.web import asking, following, request_templates, services
from capture.web.ask_fields import DAYS
from capture.web.done import what_was_done
from capture.web.forms import text_of
from capture.web.request_rows import rows_of
from capture.web.sign_in import load_member

PAGE = 50
"""Requests on a page of the inbox, and of what a search finds."""
QUERY_LIMIT = 80
blueprint = Blueprint("staff", __name__, url_prefix="/staff")
blueprint.before_request(load_member)
blueprint.app_context_processor(what_was_done)
for part in (asking, following, request_templates):
    blueprint.register_blueprint(part.blueprint)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/")
def inbox() -> Answer:
    """What waits on top, then everything else; or one group of `show`, page by page."""
    shown = next((group for group in GROUPS if group.id == request.args.get("show")), None)
    now = services().clock()
    with services().database.read() as db:
        counts = _counts(db)
        others = shown or Group("", "Other requests", frozenset(State) - TO_DO.states)
        number = sum(counts[group.id] for group in GROUPS if group.states <= others.states)
        pages = max(1, -(-number // PAGE))
        page = min(_page_number(), pages)
        found = listings.list_page(db, g.practice.id, others.states, now, skip=(page - 1) * PAGE, limit=PAGE)
        waiting = [] if shown or page > 1 else listings.list_page(db, g.practice.id, TO_DO.states, now, skip=0, limit=PAGE)
        rows = rows_of(db, [*waiting, *found])
        undelivered = delivery_list.any_failed(db, g.practice.id)
    first, rest = rows[: len(waiting)], rows[len(waiting) :]
    if shown is TO_DO:
        first, rest = rest, []
    return _inbox_page(counts, shown=shown, waiting=first, others=rest, paging=_paging(shown, page, pages), undelivered=undelivered)


@blueprint.post("/search")
def search() -> Answer:
    """Requests by name, reference or receipt.

    It changes nothing and is a POST all the same: what is typed names patients, and must stand in no address, history or log
    (SECURITY 7). Names are sealed, so the newest requests are opened and looked at one by one.
    """
    query = text_of(request.form, "q", QUERY_LIMIT)
    with services().database.read() as db:
        counts = _counts(db)
        receipt = read_receipt(query)
        ids, looked = listings.search(db, g.practice.id, matcher(query), receipt) if query else ([], 0)
        rows = rows_of(db, listings.list_by_ids(db, g.practice.id, ids[:PAGE]))
    found = {"query": query, "number": len(ids), "looked": looked, "all": sum(counts.values()), "shown": len(rows)}
    return _inbox_page(counts, others=rows, found=found)


@blueprint.get("/requests/<id:request_id>")
def show_request(request_id: str) -> Answer:
    """One request, what can be done with it now, and what has happened to it."""
    now = services().clock()
    with services().database.read() as db:
        found = requests.find_request(db, g.practice.id, request_id)
        case = requests.list_case(db, found)
        rows = {row["id"]: row for row in rows_of(db, case)}
        timeline = _timeline(db, found)
    state = State(found.state)
    return render_template(
        "staff/request.jinja",
        row=rows.pop(request_id),
        case=list(rows.values()),
        timeline=timeline,
        can_cancel=can_move(state, State.CANCELLED),
        can_resend=can_resend(state, now, found.expires_at),
        longer=[days for days in DAYS if can_extend(state, now, found.expires_at, now + timedelta(days=days))],
        can_ask_again=can_ask_again(state),
        can_delete=can_move(state, State.PURGED) and policies.may_manage(g.role),
        kept_until=purge_due(state, found.changed_at, g.practice.keep_attached_days, g.practice.keep_collected_days),
    )


@blueprint.post("/requests/<id:request_id>/cancel")
def cancel_request(request_id: str) -> Answer:
    """Take a request back."""
    policies.check_may_ask(g.role)
    cancel.cancel(services(), g.practice.id, request_id, actor=g.member.id)
    return redirect(url_for(".show_request", request_id=request_id, did="cancelled"), 303)


def _counts(db: Session) -> dict[str, int]:
    """How many requests each group has, by the group's id."""
    states = listings.count_states(db, g.practice.id, services().clock())
    return {group.id: sum(states[state] for state in group.states) for group in GROUPS}


def _inbox_page(counts: dict[str, int], *, shown: Group | None = None, **given: Any) -> str:
    """The page; `shown` is the group chosen, `found` says what a search looked at."""
    groups = [
        {"title": one.title, "count": counts[one.id], "url": url_for(".inbox", show=one.id), "current": one is shown}
        for one in GROUPS
    ]
    return render_template(
        "staff/inbox.jinja", groups=groups, shown=shown, **{"waiting": [], "found": None, "paging": None, **given}
    )


def _page_number() -> int:
    typed = request.args.get("page", "")
    return max(1, int(typed)) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 1


def _paging(shown: Group | None, page: int, pages: int) -> dict[str, Any] | None:
    """Where the list goes on; None if one page holds it."""

    def url(number: int) -> str | None:
        return url_for(".inbox", show=shown and shown.id, page=number) if 1 <= number <= pages else None

    return {"page": page, "pages": pages, "newer": url(page - 1), "older": url(page + 1)} if pages > 1 else None


def _timeline(db: Session, found: Request) -> list[dict[str, Any]]:
    """What happened, oldest first, and what became of each message."""
    events = [event for event in audit.list_events(db, g.practice.id, found.id) if event.action in EVENTS]
    names = listings.names_of(db, (event.actor for event in events))
    told = [(event.at, EVENTS[event.action] + _which(event) + _by(names.get(event.actor))) for event in events]
    told += [(step.at, step.text) for step in list_messages(db, found.id)]
    return [_folded(list(same)) for _, same in groupby(sorted(told, key=itemgetter(0)), key=itemgetter(1))]


def _folded(same: list[tuple[datetime, str]]) -> dict[str, Any]:
    """One line for what happened several times in a row, with the time of the last."""
    at, text = same[-1]
    return {"at": at, "text": f"{text}, {len(same)} times" if len(same) > 1 else text}


def _which(event: AuditEvent) -> str:
    """The title of the photo that an event is about, if it is about one."""
    view = json.loads(event.facts).get("view")
    return f": {services().catalogue.title_of(view)}" if view else ""


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""

"""Requests: ask, list, look at one, cancel."""

import re
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, g, jsonify, url_for
from flask import request as call
from sqlalchemy.orm import Session

from capture.actions.ask_for_system import ask_for_system
from capture.actions.cancel import cancel
from capture.actions.issue_link import Draft
from capture.domain.identifiers import read_email, read_mobile, read_nhs_number, read_reference
from capture.domain.requests import State
from capture.errors import NotAllowed, NotValid
from capture.settings import RANGES
from capture.store import pages, photos, requests
from capture.store.models import Request
from capture.web import services
from capture.web.api import reading
from capture.web.api.calls import blueprint, needs
from capture.web.ask_fields import MESSAGE_LIMIT

LIMITS = {"label": 80, "protocol": 40, "site": 40, "side": 5, "follows": 16, "reference": 60, "nhs_number": 20, "asked_by": 80}
LIMITS |= {"phone": 20, "email": 254}
FIELDS = (*LIMITS, "message", "date_of_birth", "days")
REQUIRED = ("label", "protocol")
_KEY = re.compile(r"[!-~]{8,200}")
T = TypeVar("T")
R = TypeVar("R")


@blueprint.post("/requests")
@needs("requests:write")
def ask() -> tuple[Response, int, dict[str, str]]:
    """Ask for photos: 201 and the link, or 200 without it where the same call was answered before."""
    values = reading.body(FIELDS)
    texts = {name: reading.text(values, name, limit, required=name in REQUIRED) for name, limit in LIMITS.items()}
    asked_by = texts.pop("asked_by") or g.token.name
    texts["reference"] = _checked(read_reference, texts["reference"])
    texts["nhs_number"] = _checked(read_nhs_number, texts["nhs_number"])
    texts["phone"] = _checked(_read_phone, texts["phone"])
    texts["email"] = _checked(_read_email, texts["email"])
    draft = Draft(
        **texts,
        message=reading.text(values, "message", MESSAGE_LIMIT),
        date_of_birth=reading.day(values, "date_of_birth"),
        days=reading.number(values, "days", *RANGES["link_days"], services().settings.link_days),
        key=_key(),
    )
    request, link = _checked(lambda one: ask_for_system(services(), g.token, one, asked_by=asked_by), draft)
    headers = {"Location": url_for(".show", request_id=request.id)}
    return jsonify({**_outside(request), "link": link or None}), 201 if link else 200, headers


@blueprint.get("/requests")
@needs("requests:read")
def list_all() -> Response:
    """A page of requests, the longest unchanged first."""
    reading.check_query(("state", "since", "limit", "cursor"))
    state, since, paging = reading.chosen("state", tuple(State), ""), reading.since(), reading.paging()
    states = [State(state)] if state else []
    with services().database.read() as db:
        rows = pages.page_requests(db, g.practice.id, states=states, since=since, after=paging.after, limit=paging.limit + 1)
        shown = [_shown(db, row) for row in rows[: paging.limit]]
    last = rows[paging.limit - 1] if len(rows) > paging.limit else None
    return jsonify(requests=shown, next=reading.cursor_of((last.changed_at, last.id)) if last else None)


@blueprint.get("/requests/<id:request_id>")
@needs("requests:read")
def show(request_id: str) -> Response:
    """One request."""
    with services().database.read() as db:
        return jsonify(_shown(db, requests.find_request(db, g.practice.id, request_id)))


@blueprint.post("/requests/<id:request_id>/cancel")
@needs("requests:write")
def take_back(request_id: str) -> Response:
    """Cancel a request; one that is cancelled already stays so, and the answer is the same."""
    with services().database.read() as db:
        before = requests.find_request(db, g.practice.id, request_id).state
    if before != State.CANCELLED:
        cancel(services(), g.practice.id, request_id, actor=g.token.actor)
    with services().database.read() as db:
        return jsonify(_outside(requests.find_request(db, g.practice.id, request_id)))


def _outside(row: Request) -> dict[str, Any]:
    """What is known of a request without looking at the patient."""
    times = {name: getattr(row, name) for name in ("issued_at", "expires_at", "submitted_at", "changed_at")}
    shown = {name: at.isoformat() if at else None for name, at in times.items()}
    return {"id": row.id, "receipt": row.receipt, "state": row.state, **shown}


def _shown(db: Session, row: Request) -> dict[str, Any]:
    """The same with what was asked and the practice's own words for the patient: with requests:read only."""
    details, bundle = requests.details_of(db, row), photos.bundle_of_request(db, row.id)
    names = ("label", "reference", "protocol", "site", "side", "follows", "asked_by")
    asked = {name: getattr(details, name) for name in names}
    return {**_outside(row), **asked, "bundle_id": bundle.id if bundle else None}


def _read_phone(typed: str) -> str:
    _check_sends(typed, "sms", "phone")
    return read_mobile(typed, fiction=services().settings.demo or services().settings.test_messages)


def _read_email(typed: str) -> str:
    _check_sends(typed, "email", "email")
    return read_email(typed)


def _check_sends(typed: str, channel: str, field: str) -> None:
    """A system that gives a number counts on the text: where nothing would send it, it is told."""
    if typed and channel not in services().messengers:
        raise NotValid(f"{field} cannot be used: this service does not send the link that way.")


def _key() -> str:
    """The caller's own name for this call; without one each call asks anew."""
    given = call.headers.get("Idempotency-Key")
    if given is None:
        return secrets.token_hex(16)
    if not _KEY.fullmatch(given):
        raise NotValid("Idempotency-Key must have 8 to 200 signs, of ASCII and without spaces.")
    return given


def _checked(read: Callable[[T], R], value: T) -> R:
    """What a policy says no to was not a mistake of permission but of what was asked."""
    try:
        return read(value)
    except NotAllowed as error:
        raise NotValid(error.sentence, code="cannot-ask") from None

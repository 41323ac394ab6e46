"""What staff do with a request that is on its way or was answered: a new link, more time, asking for a photo once more."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import ask_again, delete_now, detach, extend, resend
from capture.actions.issue_link import Issued
from capture.domain import policies
from capture.domain.again import REASONS, check_can_ask_again, check_can_resend
from capture.domain.links import link_key
from capture.domain.requests import State
from capture.errors import Conflict
from capture.store import requests
from capture.web import services
from capture.web.ask_fields import DAYS, days_of, reach, reach_of
from capture.web.asking import link_page
from capture.web.forms import Errors, text_of
from capture.web.request_rows import rows_of

_KEY = re.compile(r"[0-9a-f]{32}")
blueprint = Blueprint("following", __name__, url_prefix="/requests/<id:request_id>")
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/resend")
def resend_page(request_id: str) -> Answer:
    """Where the new link goes."""
    policies.check_may_ask(g.role)
    return _resend_page(request_id, {}, {})


@blueprint.post("/resend")
def resend_link(request_id: str) -> Answer:
    """A new link in the place of the old one; this answer is the only page that ever shows it."""
    policies.check_may_ask(g.role)
    errors: Errors = {}
    phone, email = reach_of(request.form, errors)
    page, key = _resend_page(request_id, errors, request.form), _key()
    if errors:
        return page, 422
    issued = resend.resend(services(), g.practice.id, request_id, key=key, actor=g.member.id, to_phone=phone, to_email=email)
    return _link_page(issued), 201


@blueprint.post("/extend")
def extend_link(request_id: str) -> Answer:
    """More time for the link that the patient has."""
    policies.check_may_ask(g.role)
    extend.extend(services(), g.practice.id, request_id, days_of(request.form, {}), actor=g.member.id)
    return redirect(url_for("staff.show_request", request_id=request_id, did="more-time"), 303)


@blueprint.post("/not-attached")
def not_attached(request_id: str) -> Answer:
    """The photos are not with the referral after all."""
    policies.check_may_open(g.role)
    detach.detach(services(), g.practice.id, request_id, actor=g.member.id)
    return redirect(url_for("staff.show_request", request_id=request_id, did="not-attached"), 303)


@blueprint.get("/delete")
def delete_page(request_id: str) -> Answer:
    """What is lost when the request is deleted before its time."""
    policies.check_may_manage(g.role)
    with services().database.read() as db:
        found = requests.find_request(db, g.practice.id, request_id)
        losing = delete_now.what_is_lost(db, found)
        (row,) = rows_of(db, [found])
    return render_template("staff/delete.jinja", row=row, losing=losing)


@blueprint.post("/delete")
def delete_request(request_id: str) -> Answer:
    """Delete it, for good."""
    policies.check_may_manage(g.role)
    delete_now.delete_now(services(), g.practice.id, request_id, actor=g.member.id)
    return redirect(url_for("staff.show_request", request_id=request_id, did="deleted"), 303)


@blueprint.get("/again")
def again_page(request_id: str) -> Answer:
    """Which photos are asked for once more, and why."""
    policies.check_may_ask_again(g.role)
    return _page(request_id, {}, {"days": str(services().settings.link_days), "key": secrets.token_hex(16)})


@blueprint.post("/again")
def again(request_id: str) -> Answer:
    """Ask for them: a request of the same case with a link of its own."""
    policies.check_may_ask_again(g.role)
    views, reason = tuple(request.form.getlist("views")), text_of(request.form, "reason")
    errors: Errors = {}
    days, (phone, email) = days_of(request.form, errors), reach_of(request.form, errors)
    if not views:
        errors["views"] = "Choose at least one photo"
    if reason not in REASONS:
        errors["reason"] = "Choose what is wrong with it"
    page = _page(request_id, errors, {**request.form, "days": str(days), "reason": reason, "views": views})
    key = _key()
    if errors:
        return page, 422
    chosen = ask_again.Again(views, reason, days, key, phone, email)
    issued = ask_again.ask_again(
        services(), g.practice.id, request_id, chosen, actor=g.member.id, member_id=g.member.id, asked_by=g.member.name
    )
    return _link_page(issued), 201


def _key() -> str:
    """The form's own key, without which sending it twice would make two links. Conflict if it is not ours."""
    key = request.form.get("key", "")
    if not _KEY.fullmatch(key):
        raise Conflict("This page was open too long. Go back, reload it and try again.", code="form-too-old")
    return key


def _link_page(issued: Issued) -> str:
    with services().database.read() as db:
        group = requests.details_of(db, requests.find_request(db, g.practice.id, issued.request_id)).age_group
    return link_page(issued, child=group == "child")


def _resend_page(request_id: str, errors: Errors, values: Mapping[str, str]) -> str:
    """The form. NotFound for another practice's request, Conflict for one that needs no link."""
    with services().database.read() as db:
        found = requests.find_request(db, g.practice.id, request_id)
        check_can_resend(State(found.state), services().clock(), found.expires_at)
        (row,) = rows_of(db, [found])
    key = values.get("key") or link_key(found.token_hash)
    return render_template("staff/resend.jinja", row=row, key=key, errors=errors, values=values, **reach())


def _page(request_id: str, errors: Errors, values: Mapping[str, Any]) -> str:
    """The form. NotFound for another practice's request, Conflict where no photos were sent."""
    with services().database.read() as db:
        found = requests.find_request(db, g.practice.id, request_id)
        check_can_ask_again(State(found.state))
        details = requests.details_of(db, found)
        (row,) = rows_of(db, [found])
    views = [view for view in services().catalogue.views_of(details.protocol, found.views) if not view.extra]
    return render_template(
        "staff/ask_again.jinja",
        row=row,
        views=[{"id": view.id, "title": view.title} for view in views],
        reasons=[{"id": reason, "text": text} for reason, text in REASONS.items()],
        expiry=DAYS,
        errors=errors,
        values=values,
        **reach(),
    )

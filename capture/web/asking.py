"""Asking for photos: the form, and the page that shows the link once."""

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date

from flask import Blueprint, g, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import issue_link
from capture.actions.issue_link import Draft, Issued
from capture.domain import policies
from capture.domain.identifiers import read_nhs_number, read_reference
from capture.domain.messages import text_message
from capture.domain.protocols import Catalogue
from capture.errors import Conflict, NotAllowed
from capture.store.messages import list_messages
from capture.store.request_templates import find_template, list_templates
from capture.web import services
from capture.web.ask_fields import choices, days_of, message_of, photos_of, reach_of
from capture.web.forms import Errors, date_of_birth, text_of
from capture.web.key_news import check_live
from capture.web.qr import qr_svg
from capture.web.request_templates import values_of

_KEY = re.compile(r"[0-9a-f]{32}")
blueprint = Blueprint("asking", __name__)
blueprint.before_request(check_live)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/requests/new")
def new_request() -> Answer:
    """The form that asks for photos."""
    policies.check_may_ask(g.role)
    return _page({}, {"days": str(services().settings.link_days), "key": secrets.token_hex(16)})


@blueprint.get("/requests/new/from/<id:template_id>")
def new_from_template(template_id: str) -> Answer:
    """The same form, with a template's choices in it."""
    policies.check_may_ask(g.role)
    with services().database.read() as db:
        template = find_template(db, g.practice.id, template_id)
    return _page({}, {"key": secrets.token_hex(16), "template": template.name, **values_of(template)})


@blueprint.post("/requests/new")
def issue_request() -> Answer:
    """Issue a request; the answer is the only page that ever shows its link."""
    policies.check_may_ask(g.role)
    today = services().clock().date()
    draft, errors = request_draft(request.form, services().catalogue, today)
    values = {name: text_of(request.form, name, 1_000) for name in request.form if name != "csrf_token"}
    if draft is None:
        return _page(errors, values), 422
    try:
        issued = issue_link.issue_link(
            services(), g.practice.id, draft, actor=g.member.id, member_id=g.member.id, asked_by=g.member.name
        )
    except NotAllowed as error:
        return _page({"follows" if draft.follows else "site": error.sentence}, values), 422
    return link_page(issued, child=policies.age_group(draft.date_of_birth, today) == "child"), 201


def link_page(issued: Issued, *, child: bool) -> str:
    """The page that shows a link, once; `child` is whether the patient is under 16."""
    with services().database.read() as db:
        waiting = [step for step in list_messages(db, issued.request_id) if step.waits]
    return render_template(
        "staff/request_issued.jinja",
        queued=[step.text for step in waiting if step.kind == "link"],
        remind_days=g.practice.remind_days if any(step.kind == "reminder" for step in waiting) else 0,
        channels=set(services().messengers),
        link=issued.link,
        qr_svg=qr_svg(issued.link),
        sms=text_message(g.practice.name, issued.link),
        expires_at=issued.expires_at,
        child=child,
        request_url=url_for("staff.show_request", request_id=issued.request_id),
    )


def request_draft(form: Mapping[str, str], catalogue: Catalogue, today: date) -> tuple[Draft | None, Errors]:
    """The form that asks for photos: a Draft, or a sentence for each field that is not right. Conflict if it is not ours."""
    errors: Errors = {}
    label, key = text_of(form, "label", 80), form.get("key", "")
    if not _KEY.fullmatch(key):  # without it, sending the form twice would issue two links
        raise Conflict("This page was open too long. Go back, reload it and try again.", code="form-too-old")
    if not label:
        errors["label"] = "Enter a name or label, so that you know whose photos these are"
    born = date_of_birth(form, errors, today)
    reference = _read(read_reference, form, "reference", errors)
    nhs_number = _read(read_nhs_number, form, "nhs_number", errors)
    protocol, site, side, follows = photos_of(form, catalogue, errors)
    message, days = message_of(form, errors), days_of(form, errors)
    phone, email = reach_of(form, errors)
    if errors or born is None:
        return None, errors
    return Draft(label, born, reference, site, side, protocol, days, key, follows, message, nhs_number, phone, email), errors


def _read(read: Callable[[str], str], form: Mapping[str, str], name: str, errors: Errors) -> str:
    try:
        return read(text_of(form, name, 60))
    except NotAllowed as error:
        errors[name] = error.sentence
        return ""


def _page(errors: Errors, values: Mapping[str, str]) -> str:
    with services().database.read() as db:
        templates = list_templates(db, g.practice.id)
    return render_template("staff/request_new.jinja", errors=errors, values=values, templates=templates, **choices(g.practice))

"""Asking for photos: the form, and the page that shows the link once."""

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date

from flask import Blueprint, g, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import issue_link
from capture.actions.issue_link import Draft
from capture.domain import policies
from capture.domain.identifiers import read_nhs_number, read_reference
from capture.domain.links import read_receipt
from capture.domain.protocols import Catalogue
from capture.errors import Conflict, NotAllowed
from capture.web import services
from capture.web.forms import Errors, date_of_birth, text_of
from capture.web.qr import qr_svg

DAYS = (1, 3, 7, 14)
MESSAGE_LIMIT = 300
_KEY = re.compile(r"[0-9a-f]{32}")
blueprint = Blueprint("asking", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/requests/new")
def new_request() -> Answer:
    """The form that asks for photos."""
    policies.check_may_ask(g.role)
    return _page({}, {"days": str(services().settings.link_days), "key": secrets.token_hex(16)})


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
    text = f"{g.practice.name} has asked for photos of your skin. Please take them here: {issued.link}"
    return render_template(
        "staff/request_issued.jinja",
        link=issued.link,
        qr_svg=qr_svg(issued.link),
        sms=text,
        expires_at=issued.expires_at,
        child=policies.age_group(draft.date_of_birth, today) == "child",
        request_url=url_for("staff.show_request", request_id=issued.request_id),
    ), 201


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
    protocol, site, side, follows = _asked_for(form, catalogue, errors)
    message = text_of(form, "message", MESSAGE_LIMIT + 1)
    if len(message) > MESSAGE_LIMIT:
        errors["message"] = f"The message can have {MESSAGE_LIMIT} characters at most"
    days = text_of(form, "days", 3)
    if not (days.isascii() and days.isdigit() and int(days) in DAYS):
        errors["days"] = "Choose how long the link works"
    if errors or born is None:
        return None, errors
    return Draft(label, born, reference, site, side, protocol, int(days), key, follows, message, nhs_number), errors


def _read(read: Callable[[str], str], form: Mapping[str, str], name: str, errors: Errors) -> str:
    try:
        return read(text_of(form, name, 60))
    except NotAllowed as error:
        errors[name] = error.sentence
        return ""


def _asked_for(form: Mapping[str, str], catalogue: Catalogue, errors: Errors) -> tuple[str, str, str, str]:
    """Protocol, site, side, and the receipt that is followed."""
    protocol, follows = text_of(form, "protocol"), ""
    site, side = text_of(form, "site"), text_of(form, "side")
    if protocol in catalogue.protocols and catalogue.protocols[protocol].follows:
        site = side = ""  # as the last time
        follows = read_receipt(text_of(form, "follows"))
        if not follows:
            errors["follows"] = "Enter the receipt of the last photos, for example KX7-P3Q"
    elif site not in catalogue.sites:
        errors["site"] = "Choose the place on the body"
    elif catalogue.sites[site].sides and side not in {"left", "right"}:
        errors["side"] = "Choose left or right"
    elif not catalogue.sites[site].sides:
        side = ""  # hidden once another place is chosen, and then still sent by a page without script
    if protocol not in catalogue.protocols:
        errors["protocol"] = "Choose which photos to ask for"
    return protocol, site, side, follows


def _page(errors: Errors, values: Mapping[str, str]) -> str:
    catalogue = services().catalogue
    return render_template(
        "staff/request_new.jinja",
        errors=errors,
        values=values,
        sites=[site for site in catalogue.sites.values() if g.practice.intimate_allowed or not site.intimate],
        protocols=list(catalogue.protocols.values()),
        expiry=DAYS,
        message_limit=MESSAGE_LIMIT,
    )

"""The practice's templates of requests: managers save and delete them, whoever asks starts from one."""

from collections.abc import Mapping

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import save_template
from capture.actions.save_template import TemplateDraft
from capture.domain import policies
from capture.domain.protocols import describe_site
from capture.store.request_templates import RequestTemplate, find_template, list_templates
from capture.web import services
from capture.web.ask_fields import choices, days_of, message_of, photos_of
from capture.web.forms import Errors, text_of

blueprint = Blueprint("templates", __name__, url_prefix="/templates")
Answer = BaseResponse | str | tuple[str, int]
NAME_LIMIT = 60


@blueprint.get("")
def show_templates() -> Answer:
    """All templates, and the form for a new one."""
    policies.check_may_manage(g.role)
    return _page({}, {"days": str(services().settings.link_days)})


@blueprint.get("/<id:template_id>")
def edit_template(template_id: str) -> Answer:
    """The same with one of them in the form."""
    policies.check_may_manage(g.role)
    with services().database.read() as db:
        template = find_template(db, g.practice.id, template_id)
    return _page({}, {"name": template.name, **values_of(template)})


@blueprint.post("")
def save() -> Answer:
    """Save what the form says; the same name replaces."""
    policies.check_may_manage(g.role)
    errors: Errors = {}
    name = text_of(request.form, "name", NAME_LIMIT).replace("\n", " ")
    if not name:
        errors["name"] = "Enter a name for the template, such as “Mole on the back”"
    protocol, site, side, follows = photos_of(request.form, services().catalogue, errors)
    if follows or "follows" in errors:
        errors = {"protocol": "A follow-up takes its photos from an earlier request, so it needs no template"}
    message, days = message_of(request.form, errors), days_of(request.form, errors)
    if errors:
        return _page(errors, {field: text_of(request.form, field, 1_000) for field in request.form}), 422
    draft = TemplateDraft(name, site, side, protocol, message, days)
    save_template.save_template(services(), g.practice.id, draft, actor=g.member.id)
    return redirect(url_for(".show_templates", did="template-saved"), 303)


@blueprint.post("/<id:template_id>/delete")
def delete(template_id: str) -> Answer:
    """Delete one."""
    policies.check_may_manage(g.role)
    save_template.delete_template(services(), g.practice.id, template_id, actor=g.member.id)
    return redirect(url_for(".show_templates", did="template-deleted"), 303)


def values_of(template: RequestTemplate) -> dict[str, str]:
    """What a template fills into a form."""
    return {
        "site": template.site,
        "side": template.side,
        "protocol": template.protocol,
        "message": template.message,
        "days": str(template.days),
    }


def _page(errors: Errors, values: Mapping[str, str]) -> str:
    catalogue = services().catalogue
    with services().database.read() as db:
        templates = list_templates(db, g.practice.id)
    shown = [
        {
            "id": template.id,
            "name": template.name,
            "site_text": describe_site(catalogue.site(template.site), template.side),
            "protocol_title": catalogue.protocol(template.protocol).title,
        }
        for template in templates
    ]
    offered = choices(g.practice)
    offered["protocols"] = [protocol for protocol in offered["protocols"] if not protocol.follows]
    return render_template("staff/request_templates.jinja", errors=errors, values=values, templates=shown, **offered)

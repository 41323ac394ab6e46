"""The agreement: what happens to the photos, who agrees, the boxes to tick, who takes them."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import agree
from capture.domain.policies import CHILD_ALONE, who_may_agree
from capture.web import services
from capture.web.forms import text_of
from capture.web.journey import check_open

blueprint = Blueprint("consent", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/agree")
def agree_page() -> Answer:
    """What happens to the photos, and what to answer first."""
    check_open()
    return _page({}, {})


@blueprint.post("/agree")
def give_agreement() -> Answer:
    """Keep the agreement when everything is answered."""
    chosen, helper = text_of(request.form, "who", 20), text_of(request.form, "helper", 20)
    ticked, words = request.form.getlist("agree"), text_of(request.form, "relation", agree.RELATION_LIMIT)
    who, relation = _who(chosen, words)
    errors = {}
    if who == "me" and g.details.age_group == "child":
        errors["who"] = gettext(CHILD_ALONE)
    elif who not in who_may_agree(g.details.age_group):
        errors["who"] = gettext("Choose who you are")
    elif who == "proxy" and not relation:
        errors["relation"] = gettext("Say who you are to the patient, such as a sister or a social worker")
    if set(ticked) != set(_statements()):
        errors["agree"] = gettext("Tick every box to go on, or phone the practice")
    if helper not in agree.HELPERS:
        errors["helper"] = gettext("Choose who will take the photos")
    if errors:
        return _page(errors, {"who": chosen, "relation": words, "agree": ticked, "helper": helper}), 422
    agree.agree(services(), g.request.id, helper, who, relation)
    return redirect(url_for("patient.photo_list"), 303)


def _who(chosen: str, words: str) -> tuple[str, str]:
    """Who agrees and, of a proxy, the relation in words. Up to 18 a parent agrees as such; of an adult as a proxy."""
    if chosen == "me" or (chosen == "parent" and g.details.age_group != "adult"):
        return chosen, ""
    if chosen in agree.RELATIONS:
        return "proxy", agree.RELATIONS[chosen] or words
    return "", ""


def _statements() -> dict[str, str]:
    return agree.statements_for(services(), g.details.site)


def _page(errors: dict[str, str], values: dict[str, Any]) -> str:
    statements = [{"id": name, "text": gettext(text)} for name, text in _statements().items()]
    intimate = services().catalogue.site(g.details.site).intimate
    return render_template(
        "patient/agree.jinja",
        errors=errors,
        values=values,
        statements=statements,
        intimate=intimate,
        age_group=g.details.age_group,
        relation_limit=agree.RELATION_LIMIT,
    )

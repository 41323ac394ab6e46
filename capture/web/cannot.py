"""“I cannot take this one”: why a photo will be missing."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import skip
from capture.domain.protocols import View
from capture.errors import NotFound
from capture.web import journey, services, shot_list
from capture.web.forms import text_of

blueprint = Blueprint("cannot", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/photos/<view_id>/cannot")
def page(view_id: str) -> Answer:
    """Reasons to choose from, and other ways to get the photo."""
    if onward := journey.elsewhere():
        return onward
    return _page(_view(view_id), {}, {})


@blueprint.post("/photos/<view_id>/cannot")
def say_why(view_id: str) -> Answer:
    """Keep the reason, and go on with the next photo."""
    view = _view(view_id)
    reason, words = text_of(request.form, "reason", 20), text_of(request.form, "words", skip.WORDS_LIMIT + 1)
    errors = {}
    if reason not in skip.REASONS:
        errors["reason"] = gettext("Choose why you cannot take this photo")
    if len(words) > skip.WORDS_LIMIT:
        errors["words"] = gettext("This must be %(limit)s characters or fewer", limit=skip.WORDS_LIMIT)
    if errors:
        return _page(view, errors, {"reason": reason, "words": words}), 422
    skip.skip(services(), g.request.id, view.id, reason, words)
    g.answers.skipped[view.id] = reason
    return redirect(shot_list.after(view) if g.arrived else url_for("patient.photo_list"), 303)


def _view(view_id: str) -> View:
    """A photo that was asked for; one that the patient only may add is simply not added."""
    view = shot_list.find(view_id)
    if view.extra:
        raise NotFound
    return view


def _page(view: View, errors: dict[str, str], values: dict[str, str]) -> str:
    reasons = [{"value": name, "text": gettext(text)} for name, text in skip.REASONS.items()]
    return render_template("patient/cannot.jinja", view=view, reasons=reasons, errors=errors, values=values)

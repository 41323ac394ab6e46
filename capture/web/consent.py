"""The patient's agreement: what happens to the photos, the boxes to tick, who takes them."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import agree
from capture.web import services
from capture.web.journey import check_open

blueprint = Blueprint("consent", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/agree")
def agree_page() -> Answer:
    """What happens to the photos, and the boxes to tick."""
    check_open()
    return _agree_page({}, [], "")


@blueprint.post("/agree")
def give_agreement() -> Answer:
    """Keep the agreement when every box is ticked."""
    ticked, helper = request.form.getlist("agree"), request.form.get("helper", "")
    errors = {}
    if set(ticked) != set(agree.STATEMENTS):
        errors["agree"] = "Tick every box to go on, or phone the practice"
    if helper not in agree.HELPERS:
        errors["helper"] = "Choose who will take the photos"
    if errors:
        return _agree_page(errors, ticked, helper), 422
    agree.agree(services(), g.request.id, helper)
    return redirect(url_for("patient.photo_list"), 303)


def _agree_page(errors: dict[str, str], ticked: list[str], helper: str) -> str:
    statements = [{"id": name, "text": text} for name, text in agree.STATEMENTS.items()]
    values = {"agree": ticked, "helper": helper}
    return render_template("patient/agree.jinja", errors=errors, statements=statements, values=values)

"""What other services tell this one: whether a text arrived. No session and no form: a bearer token shows who speaks."""

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest

from capture.actions.note_delivery import check_caller, note_delivery
from capture.web import services

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")


@blueprint.post("/notify")
def notify() -> tuple[str, int]:
    """GOV.UK Notify says what became of a text (JSON with our `reference` and its `status`; the number in it is not looked at).

    A reference that is not ours gets the same answer as one that is, so that it is not asked again.
    """
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    check_caller(services(), bearer if scheme.lower() == "bearer" else "")
    said = request.get_json(force=True)
    values = [said.get(name) for name in ("reference", "status")] if isinstance(said, dict) else []
    reference, status = values or (None, None)
    if not isinstance(status, str) or not (reference is None or isinstance(reference, str)):
        raise BadRequest
    note_delivery(services(), reference or "", status)
    return "", 204

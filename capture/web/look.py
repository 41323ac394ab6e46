"""What follows a photo on pages without script: it is shown once, with what may be wrong, to be taken again or used."""

import base64

from flask import Blueprint, g, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions.accept_photo import Accepted
from capture.actions.keep_photo import keep_photo
from capture.domain.protocols import View
from capture.web import services, shot_list, uploads
from capture.web.hints import explain

blueprint = Blueprint("look", __name__)


def look_page(view: View, accepted: Accepted) -> str:
    """The photo that has just arrived. Once it was taken again, a photo with hints can be used anyway."""
    preview = base64.b64encode(accepted.preview).decode()
    return render_template(
        "patient/look.jinja",
        view=view,
        photo_id=accepted.photo_id,
        preview=f"data:image/jpeg;base64,{preview}" if preview else "",
        hints=[hint["sentence"] for hint in explain(accepted.hints)],
        may_keep=accepted.takes > 1,
        next_url=shot_list.after(view),
        again_url=url_for("patient.photo", view_id=view.id),
        keep_url=url_for("patient.look.keep", view_id=view.id),
    )


@blueprint.post("/photos/<view_id>/keep")
def keep(view_id: str) -> BaseResponse:
    """Use the photo although it has hints. It was durable before, so this only notes the patient's choice."""
    view = shot_list.find(view_id)
    keep_photo(services(), g.request.id, view.id, uploads.photo_id())
    return redirect(shot_list.after(view), 303)

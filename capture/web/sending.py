"""What a page tells its script, so that photos go on being sent while the patient goes from page to page."""

from typing import Any

from flask import g, url_for

from capture.domain.requests import DONE, State
from capture.web import services, shot_list


def facts() -> dict[str, Any] | None:
    """For `patient/sending.jinja`; None where no photo can be sent: before the agreement and after the sending."""
    if State(g.request.state) in DONE or not g.answers.agreed_at:
        return None
    return {
        "key": g.answers.keep_key,
        "views": shot_list.for_script(),
        "total": shot_list.count(),
        "check": url_for("patient.check"),
        "max_bytes": services().settings.max_upload_bytes,
    }

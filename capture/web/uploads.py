"""One photo from a form: found, bounded, in memory; and what a script is told of a photo that has arrived."""

import re
from typing import Any

from flask import request
from flask_babel import gettext

from capture.actions.accept_photo import Accepted
from capture.errors import PhotoRefused
from capture.web.hints import explain

PHOTO_ID = re.compile(r"[0-9a-f]{32}")
FIELDS = ("camera", "photo")
"""The two file inputs of the page: the phone's camera, or a picture that is there already."""


def photo_id() -> str:
    """The id that the page gave this photo, so that sending it twice gives one photo."""
    text = request.form.get("photo_id", "")
    if not PHOTO_ID.fullmatch(text):
        raise PhotoRefused(
            "Something went wrong with this page. Go back, open it again and send the photo again.", code="no-photo-id"
        )
    return text


def untrusted_photo() -> bytes:
    """The bytes of the file that was chosen; its name is not looked at (SECURITY 22). PhotoRefused when there is none."""
    for field in FIELDS:
        file = request.files.get(field)
        if file is not None and (untrusted_bytes := file.stream.read()):
            return untrusted_bytes
    raise PhotoRefused("Take or choose a photo first.", code="no-photo")


def photo_json(accepted: Accepted, next_url: str) -> dict[str, Any]:
    """What the page's script is told of a photo that has arrived; `next` is the page to go on with."""
    return {
        "id": accepted.photo_id,
        "message": gettext("%(n)s of %(total)s photos have arrived", n=accepted.arrived, total=accepted.total),
        "hints": explain(accepted.hints),
        "next": next_url,
        "arrived": accepted.arrived,
        "total": accepted.total,
    }

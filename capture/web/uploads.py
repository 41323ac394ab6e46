"""One photo from a form: found, bounded, in memory."""

import re

from flask import request

from capture.errors import PhotoRefused

_PHOTO_ID = re.compile(r"[0-9a-f]{32}")
FIELDS = ("camera", "photo")
"""The two file inputs of the page: the phone's camera, or a picture that is there already."""


def photo_id() -> str:
    """The id that the page gave this photo, so that sending it twice gives one photo."""
    text = request.form.get("photo_id", "")
    if not _PHOTO_ID.fullmatch(text):
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

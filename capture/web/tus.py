"""tus 1.0 (https://tus.io/protocols/resumable-upload): photos in chunks, so that a drop costs one chunk and not the photo.

Extensions: creation, termination, expiration. `docs/uploads.md` says what the pages' script asks and what it is answered.
Every route needs the session of someone who has agreed, and every unsafe one the CSRF token in the header X-CSRFToken.
"""

import base64
import binascii
import re

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, PreconditionFailed, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import http_date

from capture.actions import accept_photo, upload
from capture.actions.upload import Progress
from capture.errors import Conflict, NotAllowed, WrongOffset
from capture.web import journey, services, shot_list
from capture.web.errors import answer_error
from capture.web.limits import CHUNK_TYPE
from capture.web.uploads import PHOTO_ID, photo_json

VERSION, EXTENSIONS = "1.0.0", "creation,termination,expiration"
_SIZE = re.compile(r"[0-9]{1,15}")
blueprint = Blueprint("tus", __name__)
blueprint.before_request(journey.load_session)


@blueprint.before_request
def check_asked_rightly() -> None:
    """Agreed before any photo, and in this version of the protocol."""
    if not g.answers.agreed_at:
        raise NotAllowed("Agree to how the photos are used first.")
    if request.method not in {"OPTIONS", "GET"} and request.headers.get("Tus-Resumable") != VERSION:
        raise PreconditionFailed


@blueprint.after_app_request
def say_version(response: Response) -> Response:
    """On every answer under /uploads, errors too."""
    if request.path.startswith("/uploads"):
        response.headers["Tus-Resumable"] = VERSION
        if response.status_code == PreconditionFailed.code:
            response.headers["Tus-Version"] = VERSION
    return response


@blueprint.route("/uploads", methods=["OPTIONS"], provide_automatic_options=False)
def options() -> Response:
    """What this endpoint can do."""
    most = str(services().settings.max_upload_bytes)
    headers = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": most}
    return Response(status=204, headers=headers)


@blueprint.post("/uploads")
def create() -> Response:
    """Make room for a photo; asked again with the same id, it goes on where it was."""
    length, named = _size("Upload-Length"), _metadata()
    photo_id, anyway = named.get("photo", ""), named.get("anyway", "0")
    if named.get("request") != g.request.id:
        raise Conflict(journey.ANOTHER_LINK)
    if not PHOTO_ID.fullmatch(photo_id) or not named.get("view") or anyway not in {"0", "1"}:
        raise BadRequest
    if length > services().settings.max_upload_bytes:
        raise RequestEntityTooLarge
    begun = upload.begin(services(), g.request.id, named["view"], photo_id, length, sent_anyway=anyway == "1")
    return _answer(201, begun, Location=f"/uploads/{photo_id}")


@blueprint.get("/uploads/<id:photo_id>")
def look(photo_id: str) -> Response:
    """HEAD: how much of it is here. GET: what the page says of a photo that has arrived."""
    if request.method == "HEAD":
        progress = upload.progress(services(), g.request.id, photo_id)
        return _answer(200, progress, **{"Upload-Length": str(progress.length)})
    view, accepted = accept_photo.find_accepted(services(), g.request.id, photo_id)
    return jsonify(photo_json(accepted, shot_list.after(shot_list.find(view))))


@blueprint.patch("/uploads/<id:photo_id>")
def append(photo_id: str) -> Response:
    """Take a chunk; after the last one 204 means that the photo is sealed and durable."""
    if request.content_type != CHUNK_TYPE:
        raise UnsupportedMediaType
    offset, chunk = _size("Upload-Offset"), request.get_data(cache=False)
    return _answer(204, upload.append(services(), g.request.id, photo_id, offset, chunk))


@blueprint.delete("/uploads/<id:photo_id>")
def drop(photo_id: str) -> Response:
    """Forget a photo that is on its way."""
    upload.drop(services(), g.request.id, photo_id)
    return Response(status=204)


@blueprint.errorhandler(WrongOffset)
def say_offset(error: WrongOffset) -> Response:
    """Where the photo goes on."""
    response = answer_error(error)
    response.headers["Upload-Offset"] = str(error.offset)
    return response


def _answer(status: int, progress: Progress, **headers: str) -> Response:
    response = Response(status=status, headers={"Upload-Offset": str(progress.offset), **headers})
    if progress.expires_at:
        response.headers["Upload-Expires"] = http_date(progress.expires_at)
    return response


def _size(name: str) -> int:
    """A header that holds a count of bytes; BadRequest when it is missing or holds anything else."""
    text = request.headers.get(name, "")
    if not _SIZE.fullmatch(text):
        raise BadRequest
    return int(text)


def _metadata() -> dict[str, str]:
    """Upload-Metadata: `name base64, name base64`; BadRequest when it is not that. Names that say nothing here are left alone."""
    found: dict[str, str] = {}
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        name, _, value = pair.strip(" ").partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise BadRequest from None
        if not name or name in found:
            raise BadRequest
        found[name] = text
    return found

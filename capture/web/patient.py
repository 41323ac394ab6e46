"""The patient's pages: link, date of birth, agreement, photos, sending, receipt."""

import secrets
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import accept_photo, open_link, submit
from capture.domain.again import SENTENCES
from capture.domain.protocols import View
from capture.errors import CaptureError, GuessingLimited, LinkClosed, PhotoRefused
from capture.store import photos
from capture.web import cannot, consent, hand_over, journey, look, sending, services, shot_list, uploads
from capture.web.errors import answer_error
from capture.web.forms import NOTE_LIMIT, date_of_birth, text_of
from capture.web.security import set_cookie

ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,image/avif,image/*"
blueprint = Blueprint("patient", __name__)
for part in (consent, cannot, hand_over, look):
    blueprint.register_blueprint(part.blueprint)
Answer = BaseResponse | str | tuple[str, int] | tuple[str, int, dict[str, str]] | tuple[Response, int]


NO_SESSION = {"patient.start", "patient.confirm", "patient.hand_over.arrive", "patient.hand_over.take_over"}
"""Every page but these needs the session of someone who has confirmed."""


@blueprint.before_request
def load_session() -> BaseResponse | None:
    """Find the confirmed session."""
    return None if request.endpoint in NO_SESSION else journey.load_session()


@blueprint.context_processor
def whose_page() -> dict[str, Any]:
    """For every page: its request, since two links opened in one browser must not mix; what its script needs to send photos."""
    if "request" not in g:
        return {}
    return {
        "request_id": g.request.id,
        "sending": sending.facts(),
        "place": shot_list.place(),
        "again": gettext(SENTENCES[g.details.again]) if g.details.again else "",
    }


@blueprint.get("/r/<token>")
def start(token: str) -> Answer:
    """The first page: who asks, and the date of birth. Whoever has sent the photos from this browser sees the receipt."""
    if journey.holds_receipt(token):
        return redirect(url_for(".sent"), 303)
    _, g.practice = open_link.find_link(services(), token)
    return _start_page({}, {}, open_link.minutes_to_wait(services(), token))


@blueprint.post("/r/<token>")
def confirm(token: str) -> Answer:
    """Check the date of birth. An empty form is answered and counts as nothing."""
    _, g.practice = open_link.find_link(services(), token)
    values = {name: text_of(request.form, name, 10) for name in ("day", "month", "year")}
    errors: dict[str, str] = {}
    born = date_of_birth(request.form, errors, services().clock().date())
    if born is None:
        return _start_page(errors, values, 0), 422
    try:
        cookie = open_link.confirm(services(), token, born)
    except GuessingLimited as error:
        return _start_page({}, {}, -(-error.retry_after // 60)), error.status, {"Retry-After": str(error.retry_after)}
    if cookie is None:
        wait = open_link.minutes_to_wait(services(), token)
        return _start_page({"dob": gettext("This date of birth does not match. Check it and try again")}, values, wait), 422
    response = redirect(url_for(".photo_list"), 303)
    set_cookie(response, services().settings, journey.COOKIE, cookie)
    return response


@blueprint.get("/photos")
def photo_list() -> Answer:
    """The photos asked for, and which have arrived."""
    if onward := journey.elsewhere():
        return onward
    return render_template("patient/tasks.jinja", **shot_list.tasks())


@blueprint.get("/photos/<view_id>")
def photo(view_id: str) -> Answer:
    """How to take one photo, and the form that takes it."""
    if onward := journey.elsewhere():
        return onward
    return _photo_page(shot_list.find(view_id), {})


@blueprint.post("/photos/<view_id>")
def send_photo(view_id: str) -> Answer:
    """Take one photo: an answer of 201 means that it is sealed and durable."""
    view = shot_list.find(view_id)
    try:
        photo_id, untrusted_bytes = uploads.photo_id(), uploads.untrusted_photo()
        accepted = accept_photo.accept_photo(
            services(),
            g.request.id,
            view.id,
            photo_id,
            untrusted_bytes,
            preview=not _wants_json(),
            anyway=request.form.get("anyway") == "1",
        )
    except PhotoRefused as error:
        if _wants_json():
            raise
        return _photo_page(view, {"photo": gettext(error.sentence)}), error.status
    if _wants_json():
        return jsonify(uploads.photo_json(accepted, shot_list.after(view))), 201
    return look.look_page(view, accepted), 201


@blueprint.get("/check")
def check() -> Answer:
    """What will be sent, and a note."""
    if onward := journey.elsewhere():
        return onward
    if not shot_list.done_views():
        return redirect(url_for(".photo_list"), 303)
    return render_template("patient/check.jinja", **shot_list.tasks(), values={"note": ""})


@blueprint.post("/check")
def send() -> Answer:
    """Send everything, once; sending again gives the same receipt (SECURITY 10)."""
    note = text_of(request.form, "note", NOTE_LIMIT + 1)
    if len(note) > NOTE_LIMIT:
        errors = {"note": gettext("The note must be %(limit)s characters or fewer", limit=format_decimal(NOTE_LIMIT))}
        return render_template("patient/check.jinja", **shot_list.tasks(), values={"note": note}, errors=errors), 422
    submit.submit(services(), g.request.id, note)
    return redirect(url_for(".sent"), 303)


@blueprint.get("/sent")
def sent() -> Answer:
    """The receipt and what becomes of the photos, never a photo (SECURITY 9). This browser may come back to it for weeks."""
    if g.request.submitted_at is None:
        return redirect(url_for(".photo_list"), 303)
    with services().database.read() as db:
        bundle = photos.bundle_of_request(db, g.request.id)
    collected_at = bundle.collected_at if bundle else None
    page = render_template(
        "patient/sent.jinja",
        receipt=g.request.receipt,
        photos=len(g.arrived),
        collected_at=collected_at,
        flagged=g.request.flagged_at,
    )
    response = make_response(page)
    journey.keep_cookie(response)
    return response


def _wants_json() -> bool:
    """Whether the page's script asks, and not a browser that shows the answer."""
    return request.accept_mimetypes.best == "application/json"


def _start_page(errors: dict[str, str], values: dict[str, str], wait: int) -> str:
    return render_template("patient/start.jinja", errors=errors, values=values, wait=wait)


def _photo_page(view: View, errors: dict[str, str]) -> str:
    return render_template(
        "patient/photo.jinja",
        view=view,
        **shot_list.place_of(view),
        photo_id=secrets.token_hex(16),
        done=view.id in shot_list.done_views(),
        errors=errors,
        accept=ACCEPT,
        max_bytes=services().settings.max_upload_bytes,
        thresholds=asdict(services().thresholds),
    )


@blueprint.errorhandler(CaptureError)
def refuse(error: CaptureError) -> Answer:
    """Errors in the patient's own words: a link that does not work looks the same whatever the reason (SECURITY 2)."""
    if _wants_json():
        return answer_error(error)
    if isinstance(error, LinkClosed):
        g.pop("practice", None)
        return render_template("patient/link_closed.jinja"), error.status
    if error.code == "link-expired" and request.endpoint in {"patient.start", "patient.confirm"}:
        g.practice = open_link.practice_of(services(), (request.view_args or {})["token"])
    if error.code == "link-expired":
        return render_template("patient/link_expired.jinja"), error.status
    return answer_error(error)

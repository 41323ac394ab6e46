"""The patient's pages: link, date of birth, agreement, photos, sending, receipt."""

import base64
import secrets
from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import accept_photo, agree, open_link, submit
from capture.domain.protocols import View
from capture.domain.requests import DONE, State, check_can_continue
from capture.errors import CaptureError, Conflict, GuessingLimited, LinkClosed, NotFound, PhotoRefused
from capture.store import photos, requests, sessions
from capture.store.models import Practice, Request
from capture.web import services, uploads
from capture.web.errors import answer_error
from capture.web.forms import NOTE_LIMIT, date_of_birth, text_of
from capture.web.security import cookie_name, set_cookie

ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,image/avif,image/*"
COOKIE = "patient"
blueprint = Blueprint("patient", __name__)
Answer = BaseResponse | str | tuple[str, int] | tuple[str, int, dict[str, str]] | tuple[Response, int]


@blueprint.before_request
def load_session() -> None:
    """Find the confirmed session; every page but the first needs one."""
    if request.endpoint in {"patient.start", "patient.confirm"}:
        return
    now = services().clock()
    cookie = request.cookies.get(cookie_name(services().settings, COOKIE), "")
    with services().database.read() as db:
        session = sessions.find_session(db, cookie, "patient", now)
        if session is None or session.request_id is None:
            raise LinkClosed
        g.request = db.get_one(Request, session.request_id)
        g.practice = db.get_one(Practice, g.request.practice_id)
        g.views = services().catalogue.protocols[requests.details_of(db, g.request).protocol].views
        g.answers = requests.answers_of(db, g.request)
        g.arrived = {photo.view for photo in photos.current_photos(db, g.request.id)}
    if request.method == "POST" and request.form.get("request") != g.request.id:
        raise Conflict("Another link was opened in this browser. To go on with these photos, open their link again.")
    if sessions.needs_touch(session, now):
        with services().database.write() as db:
            sessions.touch_session(db, session, now)


@blueprint.context_processor
def whose_page() -> dict[str, str]:
    """Every form says which request it belongs to: two links opened in one browser must not mix two patients' photos."""
    return {"request_id": g.request.id} if "request" in g else {}


@blueprint.get("/r/<token>")
def start(token: str) -> Answer:
    """The first page: who asks, and the date of birth."""
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
        return _start_page({"dob": "This date of birth does not match. Check it and try again"}, values, wait), 422
    response = redirect(url_for(".photo_list"), 303)
    set_cookie(response, services().settings, COOKIE, cookie)
    return response


@blueprint.get("/agree")
def agree_page() -> Answer:
    """What happens to the photos, and the boxes to tick."""
    _check_open()
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
    return redirect(url_for(".photo_list"), 303)


@blueprint.get("/photos")
def photo_list() -> Answer:
    """The photos asked for, and which have arrived."""
    if onward := _elsewhere():
        return onward
    return render_template("patient/tasks.jinja", **_tasks())


@blueprint.get("/photos/<view_id>")
def photo(view_id: str) -> Answer:
    """How to take one photo, and the form that takes it."""
    if onward := _elsewhere():
        return onward
    return _photo_page(_view(view_id), {})


@blueprint.post("/photos/<view_id>")
def send_photo(view_id: str) -> Answer:
    """Take one photo: an answer of 201 means that it is sealed and durable."""
    view = _view(view_id)
    try:
        photo_id, untrusted_bytes = uploads.photo_id(), uploads.untrusted_photo()
        accepted = accept_photo.accept_photo(services(), g.request.id, view.id, photo_id, untrusted_bytes)
    except PhotoRefused as error:
        if _wants_json():
            raise
        return _photo_page(view, {"photo": error.sentence}), error.status
    next_url = _after(view)
    if _wants_json():
        return jsonify(
            id=accepted.photo_id,
            message=f"{accepted.arrived} of {accepted.total} photos have arrived",
            hints=list(accepted.hints),
            next=next_url,
            arrived=accepted.arrived,
            total=accepted.total,
        ), 201
    preview = base64.b64encode(accepted.preview).decode()
    return render_template(
        "patient/look.jinja",
        view=view,
        preview=f"data:image/jpeg;base64,{preview}" if preview else "",
        hints=accepted.hints,
        next_url=next_url,
        again_url=url_for(".photo", view_id=view.id),
    ), 201


@blueprint.get("/check")
def check() -> Answer:
    """What will be sent, and a note."""
    if onward := _elsewhere():
        return onward
    if not g.arrived:
        return redirect(url_for(".photo_list"), 303)
    return render_template("patient/check.jinja", **_tasks(), values={"note": ""})


@blueprint.post("/check")
def send() -> Answer:
    """Send everything, once; sending again gives the same receipt (SECURITY 10)."""
    note = text_of(request.form, "note", NOTE_LIMIT + 1)
    if len(note) > NOTE_LIMIT:
        errors = {"note": f"The note must be {NOTE_LIMIT:,} characters or fewer"}
        return render_template("patient/check.jinja", **_tasks(), values={"note": note}, errors=errors), 422
    submit.submit(services(), g.request.id, note)
    return redirect(url_for(".sent"), 303)


@blueprint.get("/sent")
def sent() -> Answer:
    """The receipt, and nothing of the photos (SECURITY 9)."""
    if State(g.request.state) not in DONE:
        return redirect(url_for(".photo_list"), 303)
    return render_template("patient/sent.jinja", receipt=g.request.receipt, photos=len(g.arrived))


def _wants_json() -> bool:
    """Whether the page's script asks, and not a browser that shows the answer."""
    return request.accept_mimetypes.best == "application/json"


def _check_open() -> None:
    check_can_continue(State(g.request.state), services().clock(), g.request.expires_at)


def _elsewhere() -> BaseResponse | None:
    """Where the journey really is: at the receipt once sent, at the agreement before it was given."""
    if State(g.request.state) in DONE:
        return redirect(url_for(".sent"), 303)
    _check_open()
    return None if g.answers.agreed_at else redirect(url_for(".agree_page"), 303)


def _start_page(errors: dict[str, str], values: dict[str, str], wait: int) -> str:
    return render_template("patient/start.jinja", errors=errors, values=values, wait=wait)


def _agree_page(errors: dict[str, str], ticked: list[str], helper: str) -> str:
    statements = [{"id": name, "text": text} for name, text in agree.STATEMENTS.items()]
    values = {"agree": ticked, "helper": helper}
    return render_template("patient/agree.jinja", errors=errors, statements=statements, values=values)


def _photo_page(view: View, errors: dict[str, str]) -> str:
    number = [asked.id for asked in g.views].index(view.id) + 1
    return render_template(
        "patient/photo.jinja",
        view=view,
        number=number,
        total=len(g.views),
        photo_id=secrets.token_hex(16),
        done=view.id in g.arrived,
        errors=errors,
        accept=ACCEPT,
        max_bytes=services().settings.max_upload_bytes,
    )


def _tasks() -> dict[str, Any]:
    tasks = [{"view": view, "done": view.id in g.arrived, "url": url_for(".photo", view_id=view.id)} for view in g.views]
    return {
        "tasks": tasks,
        "done_count": len(g.arrived),
        "total": len(tasks),
        "can_send": bool(g.arrived),
        "check_url": url_for(".check"),
    }


def _view(view_id: str) -> View:
    for view in g.views:
        if view.id == view_id:
            found: View = view
            return found
    raise NotFound


def _after(view: View) -> str:
    """The page of the next photo that is missing, or the list when none is."""
    order = [asked.id for asked in g.views]
    place = order.index(view.id)
    missing = [view_id for view_id in order[place + 1 :] + order[:place] if view_id not in g.arrived]
    return url_for(".photo", view_id=missing[0]) if missing else url_for(".check")


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

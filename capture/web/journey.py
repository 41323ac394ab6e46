"""Where a patient stands: the session, what belongs to it, and the page that comes next."""

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.domain.requests import DONE, State, check_can_continue
from capture.errors import Conflict, LinkClosed
from capture.store import photos, requests, sessions
from capture.store.models import Practice, Request
from capture.web import services
from capture.web.security import cookie_name

COOKIE = "patient"


def load_session() -> BaseResponse | None:
    """Find the confirmed session and its request, for `g`; gives the page to go to instead, or None.

    Raises LinkClosed, or Conflict when the form is another request's.
    """
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
    return None


def check_open() -> None:
    """Conflict or LinkExpired when this request takes nothing more."""
    check_can_continue(State(g.request.state), services().clock(), g.request.expires_at)


def elsewhere() -> BaseResponse | None:
    """Where the journey really is: at the receipt once sent, at the agreement before it was given."""
    if State(g.request.state) in DONE:
        return redirect(url_for("patient.sent"), 303)
    check_open()
    return None if g.answers.agreed_at else redirect(url_for("patient.consent.agree_page"), 303)

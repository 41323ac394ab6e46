"""Where a patient stands: the session, what belongs to it, and the page that comes next."""

from datetime import datetime

from flask import Response, g, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.domain.links import token_hash
from capture.domain.requests import DONE, State, check_can_continue
from capture.errors import Conflict, LinkClosed
from capture.store import photos, requests, sessions
from capture.store.models import Practice, Request, SessionRow
from capture.web import services
from capture.web.languages import translate_view
from capture.web.security import cookie_name, set_cookie

COOKIE = "patient"
ANOTHER_LINK = "Another link was opened in this browser. To go on with these photos, open their link again."


def load_session() -> BaseResponse | None:
    """Find the confirmed session and its request, for `g`; gives the page to go to instead, or None.

    Raises LinkClosed, or Conflict when the form is another request's.
    """
    now = services().clock()
    with services().database.read() as db:
        session = _find_session(db, "patient", now) or _find_session(db, "receipt", now)
        if session is None or session.request_id is None:
            raise LinkClosed
        g.session = session
        g.request = db.get_one(Request, session.request_id)
        g.practice = db.get_one(Practice, g.request.practice_id)
        g.details = requests.details_of(db, g.request)
        g.views = tuple(map(translate_view, services().catalogue.views_of(g.details.protocol, g.request.views)))
        g.follows = bool(g.details.follows)
        g.answers = requests.answers_of(db, g.request)
        g.arrived = {photo.view: photo.arrived_at for photo in photos.current_photos(db, g.request.id)}
        g.taken = photos.count_photos(db, g.request.id)
    if request.method == "POST" and request.blueprint != "tus" and request.form.get("request") != g.request.id:
        raise Conflict(ANOTHER_LINK)
    if sessions.needs_touch(session, now):
        with services().database.write() as db:
            sessions.touch_session(db, session, now)
    return _receipt_only() if session.kind == "receipt" else None


def _receipt_only() -> BaseResponse | None:
    """Once the photos are sent, only the receipt is shown; sending again gives it again (SECURITY 10). Nothing more is taken."""
    if request.endpoint in {"patient.sent", "patient.send"}:
        return None
    if request.method in {"GET", "HEAD"} and request.blueprint != "tus":
        return redirect(url_for("patient.sent"), 303)
    raise Conflict("These photos have been sent, so nothing more can be added.")


def holds_receipt(token: str) -> bool:
    """Whether this browser sent the photos of the link with that token, and may see their receipt."""
    with services().database.read() as db:
        session = _find_session(db, "receipt", services().clock())
        asked = requests.find_by_token(db, token_hash(token))
        return session is not None and asked is not None and session.request_id == asked.id


def _find_session(db: Session, kind: str, now: datetime) -> SessionRow | None:
    return sessions.find_session(db, request.cookies.get(cookie_name(services().settings, COOKIE), ""), kind, now)


def keep_cookie(response: Response) -> None:
    """Let the cookie live as long as the session, also when the browser is closed."""
    name, left = cookie_name(services().settings, COOKIE), g.session.expires_at - services().clock()
    set_cookie(response, services().settings, COOKIE, request.cookies[name], max_age=left)


def check_open() -> None:
    """Conflict or LinkExpired when this request takes nothing more."""
    check_can_continue(State(g.request.state), services().clock(), g.request.expires_at)


def elsewhere() -> BaseResponse | None:
    """Where the journey really is: at the receipt once sent, at the agreement before it was given."""
    if State(g.request.state) in DONE:
        return redirect(url_for("patient.sent"), 303)
    check_open()
    return None if g.answers.agreed_at else redirect(url_for("patient.consent.agree_page"), 303)

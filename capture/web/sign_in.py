"""Who is there: the staff session, and the pages that start and end it."""

from typing import Any

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import sign_in as signing_in
from capture.store import members, sessions
from capture.store.models import Member, Practice
from capture.web import services
from capture.web.forms import text_of
from capture.web.limits import CODE_RATE, SIGN_IN_RATES, client_address
from capture.web.security import cookie_name, drop_cookie, set_cookie

COOKIE, HALF_COOKIE = "staff", "password"
blueprint = Blueprint("sign_in", __name__, url_prefix="/staff")
Answer = BaseResponse | str | tuple[str, int]


def load_member() -> BaseResponse | None:
    """Before every staff page: the member, the practice and the role, or the way to the sign-in page."""
    now = services().clock()
    with services().database.read() as db:
        found = sessions.find_session(db, _cookie(COOKIE), "staff", now)
        member = db.get(Member, found.member_id) if found else None
        if found is None or member is None or member.removed_at or found.practice_id is None:
            return redirect(url_for("sign_in.password_page"), 303)
        roles = {practice.id: role for practice, role in members.list_memberships(db, member.id)}
        if found.practice_id not in roles:
            return redirect(url_for("sign_in.password_page"), 303)
        g.member, g.role = member, roles[found.practice_id]
        g.practice = db.get_one(Practice, found.practice_id)
    if sessions.needs_touch(found, now):
        with services().database.write() as db:
            sessions.touch_session(db, found, now)
    return None


@blueprint.get("/sign-in")
def password_page() -> Answer:
    """E-mail address and password."""
    return render_template("staff/sign_in.jinja", errors={}, values={})


@blueprint.post("/sign-in")
def give_password() -> Answer:
    """Check the password; the same sentence whether the address or the password is wrong."""
    email, password = text_of(request.form, "email", 254), request.form.get("password", "")[:200]
    errors = {}
    if not email:
        errors["email"] = "Enter your e-mail address"
    if not password:
        errors["password"] = "Enter your password"
    cookie = None if errors else signing_in.give_password(services(), email, password)
    if cookie is None:
        errors = errors or {"email": "The e-mail address or the password is not right"}
        return render_template("staff/sign_in.jinja", errors=errors, values={"email": email}), 422
    response = redirect(url_for(".code_page"), 303)
    set_cookie(response, services().settings, HALF_COOKIE, cookie)
    return response


@blueprint.get("/sign-in/code")
def code_page() -> Answer:
    """The one-time code."""
    with services().database.read() as db:
        if sessions.find_session(db, _cookie(HALF_COOKIE), "password", services().clock()) is None:
            return redirect(url_for(".password_page"), 303)
    return render_template("staff/sign_in_code.jinja", errors={})


@blueprint.post("/sign-in/code")
def give_code() -> Answer:
    """Check the code and start a session with an id of its own (SECURITY 24, 26)."""
    code = text_of(request.form, "code", 20).replace(" ", "")
    cookie = signing_in.give_code(services(), _cookie(HALF_COOKIE), code)
    if cookie is None:
        errors = {"code": "This code is not right, or was used already. Wait for the next one in your app"}
        return render_template("staff/sign_in_code.jinja", errors=errors), 422
    session.clear()
    response = redirect(url_for("staff.inbox"), 303)
    set_cookie(response, services().settings, COOKIE, cookie)
    drop_cookie(response, services().settings, HALF_COOKIE)
    return response


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End the session at once, here and in the browser (SECURITY 26, 32)."""
    signing_in.sign_out(services(), _cookie(COOKIE))
    session.clear()
    response = Response(status=303, headers={"Location": url_for(".password_page"), "Clear-Site-Data": '"cache", "storage"'})
    drop_cookie(response, services().settings, COOKIE)
    return response


def init_rates(app: Flask, limiter: Limiter) -> None:
    """SECURITY 25: per person, per address and in all; nobody is locked out for ever."""
    views = app.view_functions
    for rate, key in (
        (SIGN_IN_RATES["member"], _typed_member),
        (SIGN_IN_RATES["address"], client_address),
        (SIGN_IN_RATES["all"], lambda: "all"),
    ):
        limited: Any = limiter.limit(rate, key_func=key)(views["sign_in.give_password"])
        views["sign_in.give_password"] = limited
    limited = limiter.limit(CODE_RATE, key_func=_half_signed_in)(views["sign_in.give_code"])
    views["sign_in.give_code"] = limited


def _typed_member() -> str:
    """Who wants to sign in, as a MAC: the limiter writes what it counts by to the log."""
    return "member:" + services().vault.mac("limits", members.normal_email(text_of(request.form, "email", 254)))


def _half_signed_in() -> str:
    """Who gave the password, so that giving it again gives no more tries at the code."""
    with services().database.read() as db:
        found = sessions.find_session(db, _cookie(HALF_COOKIE), "password", services().clock())
    return f"code:{found.member_id}" if found else client_address()


def _cookie(name: str) -> str:
    return request.cookies.get(cookie_name(services().settings, name), "")

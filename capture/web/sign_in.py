"""Who is there: the staff session, and the pages that start and end it."""

from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import passkeys
from capture.actions import sign_in as signing_in
from capture.domain import policies
from capture.errors import NotAllowed, NotFound
from capture.store import members, sessions
from capture.store.models import Member, Practice
from capture.web import services
from capture.web.forms import text_of
from capture.web.limits import CODE_RATE, SIGN_IN_RATES, address_mac
from capture.web.security import cookie_name, drop_cookie, set_cookie

COOKIE, HALF_COOKIE, PASSKEY_COOKIE = "staff", "password", "passkey"
blueprint = Blueprint("sign_in", __name__, url_prefix="/staff")
Answer = BaseResponse | str | tuple[str, int]


def load_member() -> BaseResponse | None:
    """Before every staff page: the member, the practice and the role, or the way to the sign-in page."""
    now = services().clock()
    with services().database.read() as db:
        found = sessions.find_session(db, cookie_of(COOKIE), "staff", now)
        member = db.get(Member, found.member_id) if found else None
        if found is None or member is None or member.removed_at or found.practice_id is None:
            return redirect(url_for("sign_in.password_page"), 303)
        roles = {practice.id: role for practice, role in members.list_memberships(db, member.id)}
        if found.practice_id not in roles:
            return redirect(url_for("sign_in.password_page"), 303)
        g.member, g.role, g.fresh = member, roles[found.practice_id], sessions.is_fresh(found, now)
        g.practice = db.get_one(Practice, found.practice_id)
    if sessions.needs_touch(found, now):
        with services().database.write() as db:
            sessions.touch_session(db, found, now)
    return None


def check_fresh(back: str = "") -> None:
    """Whoever finds a browser open cannot make themselves at home in it: NotAllowed unless the member signed in just now.

    `back` is the page that whoever signs in next in this browser comes to, one of ours.
    """
    if not g.fresh:
        session["back"] = back
        raise NotAllowed("To change this, sign out and sign in again first.", code="sign-in-again")


@blueprint.get("/sign-in")
def password_page() -> Answer:
    """E-mail address and password."""
    return sign_in_page({})


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
        return sign_in_page(errors, email), 422
    response = redirect(url_for(".code_page"), 303)
    set_cookie(response, services().settings, HALF_COOKIE, cookie)
    return response


@blueprint.get("/sign-in/code")
def code_page() -> Answer:
    """The one-time code."""
    with services().database.read() as db:
        if sessions.find_session(db, cookie_of(HALF_COOKIE), "password", services().clock()) is None:
            return redirect(url_for(".password_page"), 303)
    return render_template("staff/sign_in_code.jinja", errors={})


@blueprint.post("/sign-in/code")
def give_code() -> Answer:
    """Check the code and start a session with an id of its own (SECURITY 24, 26)."""
    code = text_of(request.form, "code", 40).replace(" ", "")
    cookie = signing_in.give_code(services(), cookie_of(HALF_COOKIE), code)
    if cookie is None:
        errors = {"code": "This code is not right, or was used already. Wait for the next one in your app"}
        return render_template("staff/sign_in_code.jinja", errors=errors), 422
    return start(cookie, HALF_COOKIE)


@blueprint.post("/sign-in/passkey/options")
def offer_passkey() -> Answer:
    """What the browser asks the device for, as JSON; a session of its own waits for the answer."""
    if not passkeys.relying_party(services().settings):
        raise NotFound
    cookie, options = passkeys.offer_sign_in(services())
    response = jsonify(options)
    set_cookie(response, services().settings, PASSKEY_COOKIE, cookie)
    return response


@blueprint.post("/sign-in/passkey")
def give_passkey() -> Answer:
    """Check the device's answer: both factors in one (SECURITY 24)."""
    cookie = passkeys.give_passkey(services(), cookie_of(PASSKEY_COOKIE), request.form.get("credential", ""))
    if cookie is None:
        return sign_in_page({"passkey": "This passkey did not work. Try again, or use your password"}), 422
    return start(cookie, PASSKEY_COOKIE)


def start(cookie: str, over: str) -> BaseResponse:
    """To the inbox, or to `check_fresh`'s page, with a new session's cookie; the one named `over`, of a step on the way, goes."""
    back = session.get("back")
    session.clear()
    response = redirect(back or url_for("staff.inbox"), 303)
    set_cookie(response, services().settings, COOKIE, cookie)
    drop_cookie(response, services().settings, over)
    return response


@blueprint.app_context_processor
def what_the_role_may() -> dict[str, bool]:
    """For the templates: what to offer at all."""
    role = g.get("role", "")
    may = (policies.may_ask, policies.may_ask_again, policies.may_open, policies.may_manage)
    return {policy.__name__: policy(role) for policy in may}


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End the session at once, here and in the browser (SECURITY 26, 32)."""
    signing_in.sign_out(services(), cookie_of(COOKIE))
    back = session.get("back")
    session.clear()
    if back:
        session["back"] = back
    response = Response(status=303, headers={"Location": url_for(".password_page"), "Clear-Site-Data": '"cache", "storage"'})
    drop_cookie(response, services().settings, COOKIE)
    return response


def init_rates(app: Flask, limiter: Limiter) -> None:
    """SECURITY 25: per person, per address and in all; nobody is locked out for ever."""
    rates = SIGN_IN_RATES
    everyone = [(rates["address"], address_mac), (rates["all"], lambda: "all")]
    limits = {
        "account.change_password": [(rates["member"], _signed_in)],
        "account.change_app": [(CODE_RATE, _signed_in)],
        "openid.begin": everyone,
        "openid.finish": everyone,
        "sign_in.give_password": [(rates["member"], _typed_member), *everyone],
        "sign_in.give_code": [(CODE_RATE, _half_signed_in)],
        "sign_in.offer_passkey": everyone,
        "sign_in.give_passkey": [(rates["member"], _given_passkey), *everyone],
    }
    for name, pairs in limits.items():
        for rate, key in pairs:
            limited: Any = limiter.limit(rate, key_func=key)(app.view_functions[name])
            app.view_functions[name] = limited


def sign_in_page(errors: dict[str, str], email: str = "") -> str:
    """Every way to sign in that is set up here."""
    can_use, providers = bool(passkeys.relying_party(services().settings)), list(services().providers.values())
    shown = {"errors": errors, "values": {"email": email}, "passkeys": can_use, "providers": providers}
    return render_template("staff/sign_in.jinja", **shown)


def _typed_member() -> str:
    """Who wants to sign in, as a MAC: the limiter writes what it counts by to the log."""
    return "member:" + services().vault.mac("limits", members.normal_email(text_of(request.form, "email", 254)))


def _signed_in() -> str:
    """Who is there, so that another browser of theirs gives no more tries."""
    return f"account:{g.member.id}"


def _given_passkey() -> str:
    """Which passkey it claims to be, as a MAC."""
    return "passkey:" + services().vault.mac("limits", passkeys.credential_of(request.form.get("credential", "")))


def _half_signed_in() -> str:
    """Who gave the password, so that giving it again gives no more tries at the code."""
    with services().database.read() as db:
        found = sessions.find_session(db, cookie_of(HALF_COOKIE), "password", services().clock())
    return f"code:{found.member_id}" if found else address_mac()


def cookie_of(name: str) -> str:
    """The cookie of that name that the browser sent; empty without one."""
    return request.cookies.get(cookie_name(services().settings, name), "")

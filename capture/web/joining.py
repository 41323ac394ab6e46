"""How someone who was invited becomes a member."""

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import invite, passkeys
from capture.actions.add_member import check_name
from capture.domain.passwords import MIN_PASSWORD, check_password
from capture.errors import NotAllowed, NotFound
from capture.web import services
from capture.web.forms import text_of
from capture.web.qr import qr_svg
from capture.web.security import drop_cookie, set_cookie
from capture.web.sign_in import COOKIE, cookie_of

JOIN_COOKIE = "invited"
blueprint = Blueprint("joining", __name__, url_prefix="/staff/join")
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/<token>")
def look(token: str) -> Answer:
    """What the invitation offers; looking uses nothing up (SECURITY 1)."""
    return render_template("staff/join.jinja", offer=invite.look_at(services(), token), token=token)


@blueprint.post("/<token>")
def accept(token: str) -> Answer:
    """On to setting up, without the token in the address; someone who is a member elsewhere is in at once."""
    cookie = invite.accept(services(), token)
    if not cookie:
        return render_template("staff/joined.jinja")
    response = redirect(url_for(".set_up"), 303)
    set_cookie(response, services().settings, JOIN_COOKIE, cookie)
    return response


@blueprint.get("")
def set_up() -> Answer:
    """Name, password, and the authenticator app or a passkey."""
    return _page(invite.joining(services(), cookie_of(JOIN_COOKIE)), {})


@blueprint.post("/passkey/options")
def offer_passkey() -> Answer:
    """What the browser asks the device for, as JSON."""
    if not passkeys.relying_party(services().settings):
        raise NotFound
    cookie = cookie_of(JOIN_COOKIE)
    who = invite.joining(services(), cookie)
    return jsonify(passkeys.offer_registration(services(), cookie, who.member_id, email=who.offer.email, name=who.offer.email))


@blueprint.post("")
def join() -> Answer:
    """Become a member; the answer is the only page that ever shows the recovery codes."""
    cookie, form = cookie_of(JOIN_COOKIE), request.form
    who = invite.joining(services(), cookie)
    name, password, answer = text_of(form, "name"), form.get("password", "")[:1_000], form.get("credential", "")
    code, errors = text_of(form, "code", 20).replace(" ", ""), {}
    try:
        check_name(name)
    except NotAllowed:
        errors["name"] = "Enter your name, as your colleagues know it"
    try:
        check_password(password, who.names(name))
    except NotAllowed as error:
        errors["password"] = error.sentence
    if not code and not answer:
        errors["code"] = "Enter the 6 digits that your app shows now"
    try:
        started, codes = ("", []) if errors else invite.join(services(), cookie, name, password, code=code, untrusted_answer=answer)
    except NotAllowed as error:
        errors["code"] = error.sentence
    if errors:
        return _page(who, errors, name), 422
    session.clear()
    response = BaseResponse(render_template("staff/recovery_codes.jinja", codes=codes), 201, mimetype="text/html")
    set_cookie(response, services().settings, COOKIE, started)
    drop_cookie(response, services().settings, JOIN_COOKIE)
    return response


def _page(who: invite.Joining, errors: dict[str, str], name: str = "") -> str:
    can_use = bool(passkeys.relying_party(services().settings))
    secret = " ".join(who.code_secret[start : start + 4] for start in range(0, len(who.code_secret), 4))
    shown = {"errors": errors, "values": {"name": name}, "offer": who.offer, "secret": secret, "passkeys": can_use}
    return render_template("staff/join_set_up.jinja", qr_svg=qr_svg(who.otpauth), least=MIN_PASSWORD, **shown)

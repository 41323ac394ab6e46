"""Your account: what proves that it is you."""

from flask import Blueprint, g, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import change_proofs, passkeys, recovery
from capture.actions import sign_in as signing_in
from capture.domain.passwords import MIN_PASSWORD
from capture.errors import CaptureError, NotAllowed, NotFound
from capture.store.members import list_memberships
from capture.store.passkeys import list_passkeys
from capture.store.recovery_codes import count_codes
from capture.web import services
from capture.web.forms import text_of
from capture.web.qr import qr_svg
from capture.web.security import set_cookie
from capture.web.sign_in import COOKIE, check_fresh, cookie_of, load_member

blueprint = Blueprint("account", __name__, url_prefix="/staff/account")
blueprint.before_request(load_member)
Answer = BaseResponse | str | tuple[str, int]
DONE = {
    "password": "Your password is changed. You are signed out in every other browser.",
    "app": "Your new app is set up, and the old one has stopped. You are signed out in every other browser.",
}
"""What is said once it is done, by the word in the address."""


@blueprint.get("")
def account() -> Answer:
    """Who you are here, and your passkeys."""
    return _page({})


@blueprint.post("/passkeys/options")
def offer_passkey() -> Answer:
    """What the browser asks the device for, as JSON."""
    check_fresh()
    if not passkeys.relying_party(services().settings):
        raise NotFound
    return jsonify(
        passkeys.offer_registration(services(), cookie_of(COOKIE), g.member.id, email=g.member.email, name=g.member.name)
    )


@blueprint.post("/passkeys")
def add_passkey() -> Answer:
    """Keep the passkey that the device has made."""
    check_fresh()
    name, answer = text_of(request.form, "name", passkeys.MAX_NAME), request.form.get("credential", "")
    if not name:
        return _page({"name": "Enter a name for the passkey, for example Work laptop"}), 422
    try:
        passkeys.add_passkey(services(), cookie_of(COOKIE), g.member.id, g.practice.id, answer, name)
    except CaptureError as error:
        return _page({"name": error.sentence}, name), error.status
    return redirect(url_for(".account"), 303)


@blueprint.post("/passkeys/<id:passkey_id>/remove")
def remove_passkey(passkey_id: str) -> Answer:
    """Forget a passkey of one's own."""
    check_fresh()
    passkeys.remove_passkey(services(), g.member.id, g.practice.id, passkey_id, cookie_of(COOKIE))
    return redirect(url_for(".account"), 303)


@blueprint.post("/practices/<id:practice_id>")
def switch_practice(practice_id: str) -> Answer:
    """Go on in another of one's practices."""
    cookie = signing_in.switch_practice(services(), cookie_of(COOKIE), g.member.id, practice_id)
    response = redirect(url_for("staff.inbox"), 303)
    set_cookie(response, services().settings, COOKIE, cookie)
    return response


@blueprint.post("/recovery-codes")
def renew_codes() -> Answer:
    """New recovery codes in place of the old; the answer is the only page that ever shows them."""
    check_fresh()
    codes = recovery.renew_codes(services(), g.member.id, g.practice.id)
    return render_template("staff/recovery_codes.jinja", codes=codes), 201


@blueprint.post("/password")
def change_password() -> Answer:
    """Another password; the one until now is asked for."""
    check_fresh()
    old, new = (request.form.get(name, "")[:1_000] for name in ("old", "new"))
    errors = {} if old else {"old": "Enter the password you have now"}
    if not new:
        errors["new"] = "Enter the new password"
    try:
        if not errors:
            change_proofs.change_password(services(), g.member.id, g.practice.id, cookie_of(COOKIE), old, new)
    except NotAllowed as error:
        errors["old" if error.code == "wrong-password" else "new"] = error.sentence
    return (_page(errors), 422) if errors else redirect(url_for(".account", done="password"), 303)


@blueprint.post("/app/begin")
def begin_app() -> Answer:
    """Begin to set up another authenticator app; the one until now works on."""
    check_fresh()
    change_proofs.begin_app(services(), cookie_of(COOKIE))
    return redirect(url_for(".show_app"), 303)


@blueprint.get("/app")
def show_app() -> Answer:
    """The secret to scan, and the field for its first code."""
    return _app_page({})


@blueprint.post("/app")
def change_app() -> Answer:
    """Take the new app, once it shows the right code."""
    check_fresh()
    code = text_of(request.form, "code", 20).replace(" ", "")
    try:
        change_proofs.change_app(services(), g.member.id, g.practice.id, cookie_of(COOKIE), code)
    except NotAllowed as error:
        return _app_page({"code": error.sentence}, 422)
    return redirect(url_for(".account", done="app"), 303)


def _app_page(errors: dict[str, str], status: int = 200) -> Answer:
    waiting = change_proofs.waiting_app(services(), cookie_of(COOKIE), g.member.email) if g.fresh else None
    if waiting is None:
        return redirect(url_for(".account"), 303)
    secret, otpauth = waiting
    shown = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render_template("staff/account_app.jinja", errors=errors, secret=shown, qr_svg=qr_svg(otpauth)), status


def _page(errors: dict[str, str], name: str = "") -> str:
    with services().database.read() as db:
        return render_template(
            "staff/account.jinja",
            errors=errors,
            values={"name": name},
            member=g.member,
            fresh=g.fresh,
            can_add=bool(passkeys.relying_party(services().settings)),
            passkeys=list_passkeys(db, g.member.id),
            places=list_memberships(db, g.member.id),
            codes_left=count_codes(db, g.member.id),
            least=MIN_PASSWORD,
            done=DONE.get(request.args.get("done", "")),
        )

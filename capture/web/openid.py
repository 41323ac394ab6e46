"""Signing in with another service's account (OpenID Connect): the way there and the way back."""

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import openid
from capture.errors import NotAllowed, NotFound
from capture.web import services
from capture.web.security import set_cookie
from capture.web.sign_in import cookie_of, sign_in_page, start

OPENID_COOKIE = "openid"
blueprint = Blueprint("openid", __name__, url_prefix="/staff/sign-in/openid")
Answer = BaseResponse | str | tuple[str, int]


@blueprint.post("/<name>")
def begin(name: str) -> Answer:
    """A page that goes on to the provider by itself: a form may lead to no other site (form-action), a page's own link may."""
    cookie, url = openid.begin(services(), name)
    title = services().providers[name].title
    response = BaseResponse(render_template("staff/openid.jinja", url=url, title=title), mimetype="text/html")
    response.headers["Refresh"] = f"0; url={url}"
    set_cookie(response, services().settings, OPENID_COOKIE, cookie)
    return response


@blueprint.get("")
def finish() -> Answer:
    """Back from the provider. This GET starts a session, as the protocol wants it: once, and only in the browser that set out."""
    if not services().providers:
        raise NotFound
    try:
        cookie = openid.finish(services(), cookie_of(OPENID_COOKIE), request.args)
    except NotAllowed as error:
        return sign_in_page({"openid": error.sentence}), 422
    return start(cookie, OPENID_COOKIE)

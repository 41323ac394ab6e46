"""What every answer carries, and what every unsafe request must show: headers, a nonce, cookies, an origin of one's own."""

import secrets
from datetime import timedelta
from wsgiref.headers import Headers

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as BaseResponse

from capture.settings import Settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_CSP = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def init_security(app: Flask, settings: Settings) -> None:
    """Install the headers and the check of the origin."""
    app.url_map.strict_slashes = app.url_map.merge_slashes = (
        False  # routing would redirect to an address made of Host (SECURITY 14)
    )
    app.before_request(lambda: _check_origin(settings))
    app.after_request(lambda response: _set_headers(response, settings))
    app.context_processor(lambda: {"csp_nonce": csp_nonce()})


def csp_nonce() -> str:
    """This answer's nonce for inline script."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def cookie_name(settings: Settings, name: str) -> str:
    """`__Host-NAME` over TLS. On this machine without TLS some browsers would drop such a cookie, so there it is plain."""
    return f"__Host-{name}" if settings.secure else name


def set_cookie(response: BaseResponse, settings: Settings, name: str, value: str, max_age: timedelta | None = None) -> None:
    """A session cookie: HttpOnly, SameSite=Lax, for this host only, gone with the browser or after `max_age`."""
    name = cookie_name(settings, name)
    response.set_cookie(name, value, max_age=max_age, secure=settings.secure, httponly=True, samesite="Lax", path="/")


def drop_cookie(response: BaseResponse, settings: Settings, name: str) -> None:
    """Make the browser forget it."""
    response.delete_cookie(cookie_name(settings, name), secure=settings.secure, httponly=True, samesite="Lax", path="/")


def set_asset_headers(headers: Headers, _path: str, _url: str) -> None:
    """The headers of style, script and drawings, which the application itself does not serve."""
    for name, value in _HEADERS.items():
        headers[name] = value


def _check_origin(settings: Settings) -> None:
    """Refuse an unsafe request that another site sent (SECURITY 29).

    Under `no-referrer` browsers say `Origin: null` for a page's own forms; then Sec-Fetch-Site decides, and for browsers
    too old to send that, the CSRF token, which is asked of every request anyway.
    """
    if request.method in SAFE_METHODS:
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if (origin not in {None, "null", settings.origin}) or (site not in {None, "same-origin"}):
        raise BadRequest("This form was sent from another website.")


def _set_headers(response: Response, settings: Settings) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", _CSP.format(nonce=csp_nonce()))
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if settings.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
    return response

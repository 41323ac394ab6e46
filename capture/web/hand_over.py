"""“Continue on another phone”: a QR code on this one, a page with one button on the other."""

from math import ceil

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import hand_over
from capture.errors import LinkClosed
from capture.web import journey, services
from capture.web.qr import qr_svg
from capture.web.security import set_cookie

blueprint = Blueprint("hand_over", __name__)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/another-phone")
def page() -> Answer:
    """What it does, and the button that makes the code."""
    return journey.elsewhere() or render_template("patient/hand_over.jinja")


@blueprint.post("/another-phone")
def make() -> Answer:
    """The only page that ever shows this code; asking again makes a new one, and this one stops working."""
    if onward := journey.elsewhere():
        return onward
    offer = hand_over.offer(services(), g.request.id)
    minutes = ceil((offer.until - services().clock()).total_seconds() / 60)
    return render_template("patient/hand_over_code.jinja", link=offer.link, qr_svg=qr_svg(offer.link), minutes=minutes), 201


@blueprint.get("/h/<token>")
def arrive(token: str) -> Answer:
    """On the other phone: a button, and nothing of the patient. Looking changes nothing (SECURITY 1, 2)."""
    try:
        g.practice = hand_over.find_offer(services(), token)
    except LinkClosed:
        return render_template("patient/hand_over_closed.jinja"), 404
    return render_template("patient/hand_over_continue.jinja")


@blueprint.post("/h/<token>")
def take_over(token: str) -> Answer:
    """The button: this phone goes on, and the address holds no token any more (SECURITY 6). An empty form counts as nothing."""
    if request.form.get("continue") != "yes":
        return arrive(token)
    try:
        cookie = hand_over.take_over(services(), token)
    except LinkClosed:
        return render_template("patient/hand_over_closed.jinja"), 404
    response = redirect(url_for("patient.photo_list"), 303)
    set_cookie(response, services().settings, journey.COOKIE, cookie)
    return response

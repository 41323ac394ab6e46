"""Passkeys that unlock photos: the practice's key once more, wrapped in the browser to a passkey of one member."""

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import unlockers as unlocking
from capture.actions.passkeys import relying_party
from capture.domain import policies
from capture.errors import NotAllowed
from capture.store import recipients
from capture.store.unlockers import find_unlocker, list_unlockers
from capture.web import services
from capture.web.forms import text_of
from capture.web.keys import key_facts
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("unlockers", __name__, url_prefix="/staff/keys/passkeys")
blueprint.before_request(load_member)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.before_request
def check_role() -> None:
    """Those who open photos."""
    policies.check_may_open(g.role)


@blueprint.get("")
def show_unlockers() -> Answer:
    """One's own, and the form for another."""
    return _page({})


@blueprint.post("")
def add_unlocker() -> Answer:
    """Keep what the page wrapped."""
    check_fresh()
    try:
        unlocking.add_unlocker(
            services(),
            g.practice.id,
            g.member.id,
            text_of(request.form, "recipient_id", 32),
            credential=text_of(request.form, "credential", 4_000),
            untrusted_file=request.form.get("file", "").encode(),
            name=text_of(request.form, "name", unlocking.MAX_NAME),
        )
    except NotAllowed as error:
        return _page({"keys": error.sentence}), 422
    return redirect(url_for(".show_unlockers"), 303)


@blueprint.post("/<id:unlocker_id>/remove")
def remove_unlocker(unlocker_id: str) -> Answer:
    """Forget one of one's own."""
    unlocking.remove_unlocker(services(), g.practice.id, g.member.id, unlocker_id)
    return redirect(url_for(".show_unlockers"), 303)


@blueprint.get("/<id:unlocker_id>.age")
def unlocker_file(unlocker_id: str) -> Response:
    """The wrapped key, for the device that opens it."""
    with services().database.read() as db:
        file = find_unlocker(db, g.practice.id, g.member.id, unlocker_id).file
    return Response(file, mimetype="application/octet-stream")


def _page(errors: dict[str, str]) -> str:
    with services().database.read() as db:
        keys = recipients.list_identities(db, g.practice.id)
        titles = {row.id: key_facts(row) for row in keys}
        return render_template(
            "staff/keys_passkeys.jinja",
            errors=errors,
            unlockers=[
                {"id": one.id, "name": one.name, "created_at": one.created_at, "key": titles.get(one.recipient_id)}
                for one in list_unlockers(db, g.practice.id, g.member.id)
            ],
            keys=[
                {"url": url_for("bundles.identity", recipient_id=row.id), **titles[row.id]} for row in keys if not row.retired_at
            ],
            fresh=g.fresh,
            can_add=bool(relying_party(services().settings)),
        )

"""Tokens for other systems, for the practice's managers: made, shown once, revoked."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions.tokens import issue_token, revoke_token
from capture.domain import policies
from capture.domain.tokens import MAX_NAME, SCOPES, token_problems
from capture.errors import NotAllowed
from capture.store import tokens
from capture.store.models import Member
from capture.web import services
from capture.web.forms import text_of
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("tokens", __name__, url_prefix="/staff/tokens")
blueprint.before_request(load_member)
Answer = BaseResponse | str | tuple[str, int]
LIFETIMES = {"90": "3 months", "365": "1 year", "730": "2 years"}
SOON = 30
"""Days before the end of a token that the page begins to say so."""


@blueprint.before_request
def check_role() -> None:
    """Managers only, on every page here."""
    policies.check_may_manage(g.role)


@blueprint.get("")
def show_tokens() -> Answer:
    """The practice's tokens, and the form for another."""
    return _page({})


@blueprint.post("")
def make_token() -> Answer:
    """Make a token; the answer is the only page that ever shows it."""
    check_fresh()
    name, chosen, days = text_of(request.form, "name", MAX_NAME), request.form.getlist("scopes"), text_of(request.form, "days", 4)
    lifetime = int(days) if days in LIFETIMES else 0
    problems = token_problems(name, chosen, lifetime)
    try:
        if not problems:
            made, token = issue_token(services(), g.practice.id, name=name, scopes=chosen, days=lifetime, actor=g.member.id)
    except NotAllowed as error:
        problems[error.code] = error.sentence
    if problems:
        errors = {code.removeprefix("token-"): sentence for code, sentence in problems.items()}
        return _page(errors, {"name": name, "scopes": chosen, "days": days}), 422
    return render_template("staff/token_made.jinja", made=made, token=token, origin=services().settings.origin), 201


@blueprint.post("/<id:token_id>/revoke")
def revoke(token_id: str) -> Answer:
    """End a token at once, for good."""
    check_fresh()
    revoke_token(services(), g.practice.id, token_id, actor=g.member.id)
    return redirect(url_for(".show_tokens"), 303)


def _page(errors: dict[str, str], values: dict[str, object] | None = None) -> str:
    now = services().clock()
    with services().database.read() as db:
        found = tokens.list_tokens(db, g.practice.id)
        people = {token.made_by: db.get(Member, token.made_by) for token in found}
    shown = [
        {
            "id": token.id,
            "name": token.name,
            "scopes": [SCOPES[scope] for scope in token.scopes.split()],
            "made_by": person.name if (person := people[token.made_by]) else "the operator",
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "used_at": token.used_at,
            "state": "revoked" if token.revoked_at else "over" if now >= token.expires_at else "live",
            "soon": (token.expires_at - now).days < SOON,
        }
        for token in found
    ]
    values = values or {"scopes": [], "days": "365"}
    given = {"errors": errors, "values": values, "tokens": shown, "scopes": SCOPES, "lifetimes": LIFETIMES, "fresh": g.fresh}
    return render_template("staff/tokens.jinja", **given)

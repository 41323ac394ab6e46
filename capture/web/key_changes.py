"""Changes of keys: what one member proposes, another confirms, and everyone is told."""

from datetime import datetime
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import change_keys
from capture.domain import policies
from capture.errors import AgeError
from capture.sealing.keys import Recipient
from capture.store import key_changes, members, recipients
from capture.store.key_changes import KeyChange
from capture.store.models import Member
from capture.web import services
from capture.web.forms import text_of
from capture.web.keys import key_facts, signer_facts
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("key_changes", __name__, url_prefix="/staff/keys/changes")
blueprint.before_request(load_member)
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("/new")
def add_key() -> Answer:
    """Make another key for the practice, or another recovery sheet (`kind`), beside those in use."""
    return _making_page("recovery" if request.args.get("kind") == "recovery" else "staff", None, {})


@blueprint.get("/new/<id:recipient_id>")
def replace_key(recipient_id: str) -> Answer:
    """Make a key in place of this one."""
    with services().database.read() as db:
        kind = recipients.find_recipient(db, g.practice.id, recipient_id).kind
    return _making_page(kind, recipient_id, {})


@blueprint.post("")
def propose() -> Answer:
    """Keep what the page made, and propose it."""
    policies.check_may_manage(g.role)
    check_fresh()
    kind, replaces = text_of(request.form, "kind", 10), text_of(request.form, "replaces", 32) or None
    try:
        recipient = Recipient.parse(text_of(request.form, "recipient", 3_000))
    except AgeError as error:
        return _making_page(kind, replaces, {"keys": error.sentence}), 422
    file = request.form.get("identity_file", "").encode() if kind == "staff" else None
    made = change_keys.propose_key(
        services(), g.practice.id, kind=kind, recipient=recipient, identity_file=file, replaces=replaces, actor=g.member.id
    )
    return redirect(url_for(".show_change", change_id=made), 303)


@blueprint.post("/retire/<id:recipient_id>")
def retire(recipient_id: str) -> Answer:
    """Propose that nothing more is sealed to a key."""
    policies.check_may_manage(g.role)
    check_fresh()
    made = change_keys.propose_retirement(services(), g.practice.id, recipient_id, actor=g.member.id)
    return redirect(url_for(".show_change", change_id=made), 303)


@blueprint.get("/<id:change_id>")
def show_change(change_id: str) -> Answer:
    """What is proposed, by whom, and what is left to do."""
    policies.check_may_open(g.role)
    return _change_page(change_id, {})


@blueprint.post("/<id:change_id>/confirm")
def confirm(change_id: str) -> Answer:
    """The words are the same on both screens: make the change."""
    policies.check_may_open(g.role)
    check_fresh()
    change_keys.check_can_confirm(services(), g.practice.id, change_id, actor=g.member.id)
    if not request.form.get("compared"):
        return _change_page(change_id, {"compared": "Compare the words with the other person first, then tick the box"}), 422
    change_keys.confirm(services(), g.practice.id, change_id, actor=g.member.id)
    return redirect(url_for(".show_change", change_id=change_id), 303)


@blueprint.post("/<id:change_id>/withdraw")
def withdraw(change_id: str) -> Answer:
    """Take the proposal back."""
    policies.check_may_manage(g.role)
    change_keys.withdraw(services(), g.practice.id, change_id, actor=g.member.id)
    return redirect(url_for("keys.show_keys"), 303)


@blueprint.post("/seen")
def note_seen() -> Answer:
    """The member has read that the keys were changed, as far as the page told it."""
    until = parse_time(text_of(request.form, "until", 40))
    if until and until <= services().clock():
        with services().database.write() as db:
            key_changes.note_seen(db, g.practice.id, g.member.id, until)
    return redirect(url_for("staff.inbox"), 303)


def parse_time(untrusted: str) -> datetime | None:
    """A moment with its zone, as ISO 8601 writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(untrusted)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _making_page(kind: str, replaces: str | None, errors: dict[str, str]) -> str:
    policies.check_may_manage(g.role)
    with services().database.read() as db:
        old = recipients.find_recipient(db, g.practice.id, replaces) if replaces else None
        return render_template(
            "staff/keys_new.jinja",
            errors=errors,
            kind=kind,
            replaced=key_facts(old) if old else {},
            signer=signer_facts(),
            fresh=g.fresh,
            today=services().clock(),
        )


def _change_page(change_id: str, errors: dict[str, str]) -> str:
    with services().database.read() as db:
        change = key_changes.find_change(db, g.practice.id, change_id)
        return render_template(
            "staff/keys_change.jinja", errors=errors, change=_facts(db, change), signer=signer_facts(), fresh=g.fresh
        )


def _facts(db: Session, change: KeyChange) -> dict[str, Any]:
    added, retired = change_keys.keys_of(db, change)
    others = [member for member, role in members.list_members(db, g.practice.id) if policies.may_open(role)]
    return {
        "id": change.id,
        "added": key_facts(added) if added else {},
        "retired": key_facts(retired) if retired else {},
        "mine": change.proposed_by == g.member.id,
        "proposed_by": db.get_one(Member, change.proposed_by).name,
        "proposed_at": change.proposed_at,
        "confirmed_by": db.get_one(Member, change.confirmed_by).name if change.confirmed_by else "",
        "closed_at": change.closed_at,
        "alone": not [member for member in others if member.id != change.proposed_by],
    }

"""The practice's keys, for its managers: set up in five steps, shown, tried. Identities exist in browsers alone."""

import base64
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import add_keys, prove_keys
from capture.domain import policies
from capture.domain.fingerprints import words_of
from capture.errors import AgeError, CaptureError, NotFound
from capture.sealing.keys import Recipient
from capture.store import audit, key_changes, key_tests, members, recipients
from capture.store.key_changes import KeyChange
from capture.store.models import Member, RecipientRow
from capture.store.unlockers import list_all_unlockers
from capture.web import services
from capture.web.forms import text_of
from capture.web.key_news import init_key_news
from capture.web.key_picture import picture_of
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("keys", __name__, url_prefix="/staff/keys")
blueprint.before_request(load_member)
init_key_news(blueprint)
Answer = BaseResponse | str | tuple[str, int]
STEPS = ("Make the key", "Choose a passphrase", "Print the recovery sheet", "Try both", "Start")
KIND_TEXTS = {"staff": "Practice key", "recovery": "Recovery sheet"}


@blueprint.before_request
def check_role() -> None:
    """Managers only, on every page here."""
    policies.check_may_manage(g.role)


@blueprint.get("")
def show_keys() -> Answer:
    """The keys, who proved and changed them, and the record of drills; or the set-up, as long as the practice cannot ask."""
    with services().database.read() as db:
        if not recipients.was_live(db, g.practice.id):
            return redirect(url_for(".set_up"), 303)
        rows = sorted(recipients.list_sealed_to(db, g.practice.id), key=_order, reverse=True)
        waiting = key_changes.waiting_change(db, g.practice.id)
        alone = sum(policies.may_open(role) for _, role in members.list_members(db, g.practice.id)) < 2
        return render_template(
            "staff/keys.jinja",
            keys=[
                {**key_facts(row), **_changes_of(db, row), **_offers(row, rows, changeable=not (waiting or alone))} for row in rows
            ],
            unlockers=[
                {"name": one.name, "who": member.name, "created_at": one.created_at}
                for one, member in list_all_unlockers(db, g.practice.id)
            ],
            waiting=waiting.id if waiting else "",
            alone=alone,
            edited=recipients.is_edited(db, g.practice.id),
            lacking=[kind for kind in recipients.KINDS if not any(row.kind == kind and recipients.in_use(row) for row in rows)],
            tests=_tests(db),
            drill_due=prove_keys.drill_due(db, g.practice.id, services().clock()),
            drill_days=prove_keys.DRILL_EVERY.days,
        )


@blueprint.get("/set-up")
def set_up() -> Answer:
    """The step that comes next."""
    with services().database.read() as db:
        if recipients.was_live(db, g.practice.id):
            return redirect(url_for(".show_keys"), 303)
        return _set_up_page(db, {})


@blueprint.post("/set-up/staff")
def add_staff_key() -> Answer:
    """Keep the public half of the key that the page made, and the private one under its passphrase."""
    return _added("staff", request.form.get("identity_file", ""))


@blueprint.post("/set-up/recovery")
def add_recovery_key() -> Answer:
    """Keep the public half of the key on the printed sheet."""
    return _added("recovery", "")


@blueprint.post("/set-up/anew")
def begin_anew() -> Answer:
    """Forget the keys that were made, as long as nothing was sealed to them."""
    check_fresh(url_for(".set_up"))
    add_keys.begin_anew(services(), g.practice.id, actor=g.member.id)
    return redirect(url_for(".set_up"), 303)


@blueprint.post("/set-up/live")
def go_live() -> Answer:
    """The practice can ask from now on."""
    check_fresh(url_for(".set_up"))
    prove_keys.go_live(services(), g.practice.id, actor=g.member.id)
    return redirect(url_for(".show_keys"), 303)


@blueprint.get("/drill")
def drill() -> Answer:
    """Try the recovery sheet again."""
    return _drill_page({})


@blueprint.post("/tests")
def ask_tests() -> Response:
    """A test for each key that is not proved, or, with `drill`, for the recovery sheet; as JSON, for the page's script."""
    asked = prove_keys.ask_tests(services(), g.practice.id, drill=bool(request.form.get("drill")))
    return jsonify(
        [{"kind": test.kind, "fingerprint": test.fingerprint, "sealed": base64.b64encode(test.sealed).decode()} for test in asked]
    )


@blueprint.post("/answers")
def answer_test() -> Answer:
    """Compare what the page found in a test."""
    drilled = bool(request.form.get("drill"))
    check_fresh(url_for(".drill" if drilled else ".set_up"))
    try:
        row = prove_keys.answer_test(services(), g.practice.id, text_of(request.form, "answer", 100), actor=g.member.id)
    except CaptureError as error:
        if drilled:
            return _drill_page({"keys": error.sentence}), 422
        with services().database.read() as db:
            return _set_up_page(db, {"keys": error.sentence}), 422
    with services().database.read() as db:
        waiting = key_changes.waiting_change(db, g.practice.id)
    if waiting and waiting.added_id == row.id:
        return redirect(url_for("key_changes.show_change", change_id=waiting.id), 303)
    return redirect(url_for(".show_keys"), 303)


@blueprint.get("/<id:recipient_id>.age")
def key_file(recipient_id: str) -> Response:
    """A key file as it is stored, under its passphrase, one that is not in use yet too."""
    with services().database.write() as db:
        row = recipients.find_recipient(db, g.practice.id, recipient_id)
        if row.identity_file is None:
            raise NotFound
        audit.append(db, g.practice.id, actor=g.member.id, action="key file fetched", subject=row.id, at=services().clock())
        return Response(row.identity_file, mimetype="application/octet-stream")


def key_facts(row: RecipientRow) -> dict[str, Any]:
    """What a page shows of a key."""
    return {
        "id": row.id,
        "kind": row.kind,
        "title": KIND_TEXTS[row.kind],
        "fingerprint": row.fingerprint,
        "words": words_of(row.fingerprint),
        "picture": picture_of(row.fingerprint),
        "proved_at": row.proved_at,
        "used_from": row.used_from,
        "retired_at": row.retired_at,
        "file_url": url_for("keys.key_file", recipient_id=row.id) if row.identity_file else "",
    }


def _order(row: RecipientRow) -> tuple[bool, bool, datetime]:
    """Keys in use first, the practice's before the sheet's, new before old."""
    return row.retired_at is None, row.kind == "staff", row.created_at


def signer_facts() -> dict[str, str]:
    """The server's verifying key, which key files pin."""
    signer = services().signing_key.verifying_key
    return {"text": str(signer), "fingerprint": signer.fingerprint, "words": words_of(signer.fingerprint)}


def _added(kind: str, file: str) -> Answer:
    check_fresh(url_for(".set_up"))
    now = services().clock()
    with services().database.read() as db:
        held = {row.recipient for row in recipients.list_recipients(db, g.practice.id)}
    try:
        recipient = Recipient.parse(text_of(request.form, "recipient", 3_000))
        if str(recipient) not in held:  # the same form twice makes one key
            with services().database.write() as db:
                staff, recovery = (recipient, None) if kind == "staff" else (None, recipient)
                add_keys.insert_keys(db, g.practice.id, staff, recovery, file.encode() or None, now, actor=g.member.id)
    except AgeError as error:
        with services().database.read() as db:
            return _set_up_page(db, {"keys": error.sentence}), 422
    return redirect(url_for(".set_up"), 303)


def _set_up_page(db: Session, errors: dict[str, str]) -> str:
    rows = {row.kind: row for row in recipients.list_recipients(db, g.practice.id) if row.retired_at is None}
    unproved = [row for row in rows.values() if row.proved_at is None]
    step = 1 if "staff" not in rows else 3 if "recovery" not in rows else 4 if unproved else 5
    return render_template(
        "staff/keys_set_up.jinja",
        errors=errors,
        step=step,
        steps=STEPS,
        made={kind: key_facts(row) for kind, row in rows.items()},
        signer=signer_facts(),
        today=services().clock(),
        fresh=g.fresh,
        can_begin_anew=step > 1 and not recipients.has_asked(db, g.practice.id),
    )


def _changes_of(db: Session, row: RecipientRow) -> dict[str, str]:
    """By whom the key was brought in, and by whom retired, where that was a change."""

    def names(change: KeyChange) -> str:
        return " and ".join(db.get_one(Member, who).name for who in (change.proposed_by, change.confirmed_by) if who)

    done = [change for change in key_changes.list_changes(db, g.practice.id) if change.confirmed_by]
    return {
        "added_by": next((names(change) for change in done if change.added_id == row.id), ""),
        "retired_by": next((names(change) for change in done if change.retired_id == row.id), ""),
    }


def _offers(row: RecipientRow, rows: list[RecipientRow], *, changeable: bool) -> dict[str, bool]:
    """What the page offers for a key, if keys can be changed now: nothing that is known to be refused."""
    may_replace = changeable and recipients.in_use(row)
    others = [one for one in rows if one.kind == row.kind and one.id != row.id and recipients.in_use(one)]
    return {"may_replace": may_replace, "may_retire": may_replace and bool(others)}


def _drill_page(errors: dict[str, str]) -> str:
    with services().database.read() as db:
        sheets = [row for row in recipients.list_recipients(db, g.practice.id) if row.kind == "recovery" and recipients.in_use(row)]
        if not sheets:
            raise NotFound
        return render_template(
            "staff/keys_drill.jinja", errors=errors, tests=_tests(db), sheet=key_facts(sheets[-1]), fresh=g.fresh
        )


def _tests(db: Session) -> list[dict[str, Any]]:
    """The record of proofs and drills, newest first, with the name of who did each."""
    found = [(test, row, db.get(Member, test.answered_by)) for test, row in key_tests.list_answered(db, g.practice.id)]
    return [
        {"at": test.answered_at, "who": member.name if member else "an operator", "title": KIND_TEXTS[row.kind]}
        for test, row, member in found
    ]

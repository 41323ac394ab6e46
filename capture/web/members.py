"""The practice's members, for its managers: who they are, what they may do, who is invited."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import invite, manage_members
from capture.domain import policies
from capture.errors import Conflict, NotAllowed
from capture.store.invitations import LIFETIME, list_invitations
from capture.store.members import ROLES, list_members
from capture.web import services
from capture.web.forms import text_of
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("members", __name__, url_prefix="/staff/members")
blueprint.before_request(load_member)
Answer = BaseResponse | str | tuple[str, int]
ROLE_TEXTS = {
    "requester": "Ask for photos",
    "reader": "Open photos",
    "manager": "Ask, open and manage the practice",
}


@blueprint.before_request
def check_role() -> None:
    """Managers only, on every page here."""
    policies.check_may_manage(g.role)


@blueprint.get("")
def show_members() -> Answer:
    """Everyone in the practice, and everyone invited."""
    return _page({})


@blueprint.post("/invite")
def invite_member() -> Answer:
    """Make an invitation; the answer is the only page that ever shows its link."""
    check_fresh(url_for(".show_members"))
    email, role = text_of(request.form, "email", 254), text_of(request.form, "role", 20)
    errors = {}
    if not email:
        errors["email"] = "Enter the e-mail address of the person"
    if role not in ROLES:
        errors["role"] = "Choose what the person may do"
    try:
        link = "" if errors else invite.invite(services(), g.practice.id, email, role, actor=g.member.id)
    except (NotAllowed, Conflict) as error:
        errors["email"] = error.sentence
    if errors:
        return _page(errors, {"email": email, "role": role}), 422
    is_sent = "email" in services().messengers
    return render_template("staff/invited.jinja", link=link, email=email, days=LIFETIME.days, is_sent=is_sent), 201


@blueprint.post("/invitations/<id:invitation_id>/withdraw")
def withdraw(invitation_id: str) -> Answer:
    """Take an invitation back."""
    invite.withdraw(services(), g.practice.id, invitation_id, actor=g.member.id)
    return redirect(url_for(".show_members", did="invitation-withdrawn"), 303)


@blueprint.post("/<id:member_id>/role")
def change_role(member_id: str) -> Answer:
    """Give a member another role."""
    check_fresh(url_for(".show_members"))
    manage_members.change_role(services(), g.practice.id, member_id, text_of(request.form, "role", 20), actor=g.member.id)
    return redirect(url_for(".show_members", did="role-changed"), 303)


@blueprint.post("/<id:member_id>/remove")
def remove_member(member_id: str) -> Answer:
    """Take a member out of the practice."""
    check_fresh(url_for(".show_members"))
    manage_members.remove_member(services(), g.practice.id, member_id, actor=g.member.id)
    return redirect(url_for(".show_members", did="member-removed"), 303)


def _page(errors: dict[str, str], values: dict[str, str] | None = None) -> str:
    with services().database.read() as db:
        people = list_members(db, g.practice.id)
        return render_template(
            "staff/members.jinja",
            errors=errors,
            values=values or {},
            people=people,
            sole_manager=[role for _, role in people].count("manager") == 1,
            waiting=list_invitations(db, g.practice.id, services().clock()),
            roles=ROLE_TEXTS,
            me=g.member.id,
            fresh=g.fresh,
        )

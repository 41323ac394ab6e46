"""Invitations, roles and removal: SECURITY 1, 3, 24, 26 and 28 for who belongs to a practice."""

from dataclasses import replace

import pyotp
import pytest
from flask import Flask

from capture.services import Services
from capture.store.invitations import Invitation
from capture.store.members import add_to_practice, find_member, list_memberships
from capture.store.models import AuditEvent
from capture.store.recovery_codes import RecoveryCode
from tests.builders import AMember, APractice, make_invitation, make_member, make_passkey, make_practice
from tests.conftest import Clock
from tests.web.conftest import code_of, session_of
from tests.web.device import Device, ask, use_passkey
from tests.web.html import Page, Visitor, sign_in, staff
from tests.web.test_races import at_once

EMAIL, PASSWORD = "new@practice.example", "seven purple otters sing"
MEMBERS, JOIN = "/staff/members", "/staff/join"


def post(visitor: Visitor, path: str, page: str, **fields: str) -> Page:
    return visitor.open("POST", path, data={"csrf_token": visitor.csrf(page), **fields})


def path_of(link: str) -> str:
    return link.removeprefix("https://photos.example.org")


def secret_on(page: Page) -> str:
    """The authenticator's secret, as the page writes it out."""
    found = next(one for one in page.tree.iter("span") if one.get("class") == "app-address")
    return "".join("".join(found.itertext()).split())


def codes_on(page: Page) -> list[str]:
    return ["".join(one.itertext()) for one in page.tree.iter("li") if one.get("class") == "app-address"]


def join(app: Flask, link: str, clock: Clock, name: str = "Nia New") -> tuple[Visitor, str, Page]:
    """Follow the link to the end: the browser, the app's secret, and the page with the recovery codes."""
    visitor = Visitor(app)
    page = visitor.follow(visitor.submit(visitor.get(path_of(link))))
    secret = secret_on(page)
    code = pyotp.TOTP(secret).at(clock())
    page = visitor.submit(page, {"name": name, "password": PASSWORD, "code": code})
    return visitor, secret, page


def test_an_invitation_from_link_to_sign_in(app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock) -> None:
    """SECURITY 24: a manager invites; the person sets up password and app alone, is in, and signs in by them later."""
    page = post(desk, f"{MEMBERS}/invite", MEMBERS, email=f" {EMAIL.upper()} ", role="reader")
    assert (page.status, page.heading) == (201, "The invitation is ready")
    link = page.find("input", id="link").get("value", "")
    assert link.startswith("https://photos.example.org/staff/join/")
    assert EMAIL in desk.get(MEMBERS).text
    visitor, secret, done = join(app, link, clock)
    assert (done.status, done.heading, len(codes_on(done))) == (201, "Your recovery codes", 10)
    assert visitor.get("/staff/").heading == "Inbox"
    assert visitor.cookie("invited") is None
    with services.database.read() as db:
        made = find_member(db, EMAIL)
        assert made
        assert [(place.id, role) for place, role in list_memberships(db, made.id)] == [(member.practice.id, "reader")]
        assert {event.action for event in db.query(AuditEvent)} >= {"member invited", "member joined", "signed in"}
    clock.forward(seconds=30)
    joined = AMember(made.id, "Nia New", EMAIL, member.practice, secret, PASSWORD)
    assert sign_in(Visitor(app), joined, code_of(joined, clock)).location == "/staff/"
    text = desk.get(MEMBERS).text
    assert "Nia New" in text
    assert "Invited, not here yet" not in text


def test_looking_at_an_invitation_changes_nothing(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 1 and 3: looking, and even pressing the button, uses no invitation up; of its token only a hash is stored."""
    _, link = make_invitation(services, member.practice, member)
    for _ in range(3):
        visitor = Visitor(app)
        assert visitor.open("HEAD", path_of(link)).status == visitor.get(path_of(link)).status == 200
        page = visitor.submit(visitor.get(path_of(link)))
        assert page.location == JOIN
        assert link.rpartition("/")[2] not in visitor.follow(page).data.decode()
    with services.database.read() as db:
        row = db.query(Invitation).one()
        assert row.used_at is None
        assert link.rpartition("/")[2] not in str(vars(row))
    assert join(app, link, clock)[2].status == 201


@pytest.mark.parametrize("how", ["used", "late", "withdrawn", "sent anew", "unknown"])
def test_an_invitation_that_is_over(app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock, how: str) -> None:
    """SECURITY 3: used, seven days old, taken back, sent anew or never there: one page, and nobody gets in by an open page."""
    number, link = make_invitation(services, member.practice, member)
    opened = Visitor(app)
    form = opened.follow(opened.submit(opened.get(path_of(link))))
    if how == "used":
        join(app, link, clock)
    elif how == "late":
        clock.forward(days=7)
    elif how == "withdrawn":
        assert post(desk, f"{MEMBERS}/invitations/{number}/withdraw", MEMBERS).location == f"{MEMBERS}?did=invitation-withdrawn"
        assert post(desk, f"{MEMBERS}/invitations/{number}/withdraw", MEMBERS).status == 404
    elif how == "sent anew":
        make_invitation(services, member.practice, member)
    elif how == "unknown":
        link = f"https://photos.example.org{JOIN}/unknown"
    page = Visitor(app).get(path_of(link))
    assert (page.status, "does not work any more" in page.text) == (404, True)
    if how != "unknown":
        values = {"name": "Late", "password": PASSWORD, "code": pyotp.TOTP(secret_on(form)).at(clock())}
        assert opened.submit(form, values).status == 404
        assert opened.get(JOIN).status == 404
    with services.database.read() as db:
        assert (find_member(db, EMAIL) is not None) == (how == "used")


def test_an_invitation_makes_one_member(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 3: four browsers that finish at the same moment make one member."""
    _, link = make_invitation(services, member.practice, member)
    visitors = [Visitor(app) for _ in range(4)]
    forms = [visitor.follow(visitor.submit(visitor.get(path_of(link)))) for visitor in visitors]

    def finish(number: int) -> Page:
        code = pyotp.TOTP(secret_on(forms[number])).at(clock())
        return visitors[number].submit(forms[number], {"name": f"N{number}", "password": PASSWORD, "code": code})

    assert sorted(page.status for page in at_once(4, finish)) == [201, 404, 404, 404]


def test_what_is_wrong_is_said_at_its_field(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """SECURITY 24: no name, a common password or a wrong code: a sentence at each, and the invitation is still good."""
    _, link = make_invitation(services, member.practice, member)
    visitor = Visitor(app)
    page = visitor.follow(visitor.submit(visitor.get(path_of(link))))
    wrong = visitor.submit(page, {"name": "", "password": "ElmSurgery2026", "code": ""})
    assert (wrong.status, list(wrong.errors)) == (422, ["name", "password", "code"])
    assert "easy to guess" in wrong.errors["password"]
    wrong = visitor.submit(page, {"name": "Nia", "password": PASSWORD, "code": "000000"})
    assert (wrong.status, list(wrong.errors)) == (422, ["code"])
    assert secret_on(wrong) == secret_on(page)
    assert join(app, link, clock)[2].status == 201


def test_joining_with_a_passkey(app: Flask, services: Services, member: AMember) -> None:
    """SECURITY 24: instead of an app the person makes a passkey, and signs in by it; an altered answer joins nobody."""
    _, link = make_invitation(services, member.practice, member)
    visitor, device = Visitor(app), Device()
    page = visitor.follow(visitor.submit(visitor.get(path_of(link))))
    for made, status in ((replace(device, origin="https://evil.example"), 422), (device, 201)):
        answer = made.create(ask(visitor, f"{JOIN}/passkey/options", JOIN))
        done = visitor.submit(page, {"name": "Nia", "password": PASSWORD, "credential": answer})
        assert done.status == status
    assert use_passkey(Visitor(app), device).location == "/staff/"


def test_a_member_of_another_practice_gains_this_one(app: Flask, services: Services, member: AMember) -> None:
    """A person who signs in already keeps password and app, and belongs to both practices."""
    other = make_practice(services, name="Oak Surgery")
    manager = make_member(services, other)
    _, link = make_invitation(services, other, manager, member.email, "reader")
    visitor = Visitor(app)
    page = visitor.get(path_of(link))
    assert "member of another practice already" in page.text
    assert visitor.submit(page).heading == "You have joined"
    with services.database.read() as db:
        places = {place.id: role for place, role in list_memberships(db, member.id)}
    assert places == {member.practice.id: "manager", other.id: "reader"}
    assert visitor.get(path_of(link)).status == 404


def test_someone_who_was_removed_comes_back_anew(
    app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock
) -> None:
    """SECURITY 26: old passwords, passkeys and recovery codes of someone who was removed stay dead after a new invitation."""
    leaver = make_member(services, member.practice, role="reader")
    make_passkey(services, leaver)
    post(desk, f"{MEMBERS}/{leaver.id}/remove", MEMBERS)
    _, link = make_invitation(services, member.practice, member, leaver.email)
    assert join(app, link, clock)[2].status == 201
    assert sign_in(Visitor(app), leaver, code_of(leaver, clock)).status == 422
    with services.database.read() as db:
        found = find_member(db, leaver.email)
        assert found
        assert found.id == leaver.id
        assert db.query(RecoveryCode).count() == 10


@pytest.mark.parametrize(
    ("email", "role", "field"),
    [
        ("", "reader", "email"),
        ("no address", "reader", "email"),
        (EMAIL, "", "role"),
        (EMAIL, "owner", "role"),
        ("member", "reader", "email"),
    ],
)
def test_wrong_invitations(desk: Visitor, member: AMember, email: str, role: str, field: str) -> None:
    """No address, no role, or someone who is in already: a sentence at the field."""
    page = post(desk, f"{MEMBERS}/invite", MEMBERS, email=member.email if email == "member" else email, role=role)
    assert (page.status, list(page.errors)) == (422, [field])


def test_removing_ends_sessions_at_once(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """SECURITY 26: whoever is removed is out with the next page, and goes on in other practices."""
    leaver, other = make_member(services, member.practice, role="reader"), make_practice(services, name="Oak Surgery")
    there, elsewhere = staff(app, session_of(services, leaver)), replace(leaver, practice=other)
    with services.database.write() as db:
        add_to_practice(db, leaver.id, other.id, "reader")
    kept = staff(app, session_of(services, elsewhere))
    assert there.get("/staff/").status == kept.get("/staff/").status == 200
    assert post(desk, f"{MEMBERS}/{leaver.id}/remove", MEMBERS).location == f"{MEMBERS}?did=member-removed"
    assert there.get("/staff/").status == 303
    assert kept.get("/staff/").status == 200
    assert post(desk, f"{MEMBERS}/{leaver.id}/remove", MEMBERS).status == 404
    with services.database.read() as db:
        assert [place.id for place, _ in list_memberships(db, leaver.id)] == [other.id]


def test_a_new_role_holds_from_the_next_page(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """A reader who becomes a requester asks and no longer opens, without signing in again; no role, no change."""
    reader = make_member(services, member.practice, role="reader")
    visitor = staff(app, session_of(services, reader))
    assert visitor.get("/staff/requests/new").status == 403
    assert post(desk, f"{MEMBERS}/{reader.id}/role", MEMBERS, role="requester").location == f"{MEMBERS}?did=role-changed"
    assert visitor.get("/staff/requests/new").status == 200
    assert post(desk, f"{MEMBERS}/{reader.id}/role", MEMBERS, role="owner").status == 409


def test_the_last_manager_stays(services: Services, desk: Visitor, member: AMember) -> None:
    """A practice keeps a manager: the last one is neither removed nor made anything else; with a second one both can be done."""
    make_member(services, make_practice(services))  # a manager of another practice is none here
    for path, fields in (("role", {"role": "reader"}), ("remove", {})):
        page = post(desk, f"{MEMBERS}/{member.id}/{path}", MEMBERS, **fields)
        assert (page.status, "this is the last one" in page.text) == (403, True)
    second = make_member(services, member.practice)
    assert post(desk, f"{MEMBERS}/{second.id}/remove", MEMBERS).status == 303


def test_two_managers_cannot_remove_each_other(app: Flask, services: Services, practice: APractice) -> None:
    """Of two managers who remove each other at the same moment one stays."""
    pair = [make_member(services, practice) for _ in range(2)]
    desks = [staff(app, session_of(services, one)) for one in pair]
    tokens = [one.csrf(MEMBERS) for one in desks]
    at_once(
        2,
        lambda number: desks[number].open("POST", f"{MEMBERS}/{pair[1 - number].id}/remove", data={"csrf_token": tokens[number]}),
    )
    with services.database.read() as db:
        assert len([one for one in pair if list_memberships(db, one.id)]) == 1


@pytest.mark.parametrize("role", ["requester", "reader"])
def test_only_managers_manage(app: Flask, services: Services, member: AMember, role: str) -> None:
    """Other roles are not offered the page, and every form of it is refused with the reason."""
    visitor = staff(app, session_of(services, make_member(services, member.practice, role=role)))
    assert MEMBERS not in visitor.get("/staff/").data.decode()
    assert visitor.get(MEMBERS).status == 403
    for path in ("invite", f"{member.id}/role", f"{member.id}/remove"):
        page = post(visitor, f"{MEMBERS}/{path}", "/staff/account")
        assert (page.status, "Only managers" in page.text) == (403, True)


def test_recovery_codes(app: Flask, services: Services, desk: Visitor, member: AMember, clock: Clock) -> None:
    """SECURITY 24: each of ten codes stands in for the app once, however written; new ones end the old; hashes are stored."""
    page = post(desk, "/staff/account/recovery-codes", "/staff/account")
    first, second = codes_on(page)[:2]
    assert sign_in(Visitor(app), member, first).location == "/staff/"
    assert sign_in(Visitor(app), member, first).status == 422
    assert "9 recovery codes left" in desk.get("/staff/account").text
    assert sign_in(Visitor(app), member, second.upper().replace("-", " ")).location == "/staff/"
    third = codes_on(page)[2]
    with services.database.read() as db:
        assert third not in str([row.code_mac for row in db.query(RecoveryCode)])
    post(desk, "/staff/account/recovery-codes", "/staff/account")
    assert sign_in(Visitor(app), member, third).status == 422
    clock.forward(minutes=15)
    assert post(desk, "/staff/account/recovery-codes", "/staff/account").status == 403


def test_a_recovery_code_of_someone_else(app: Flask, services: Services, desk: Visitor, member: AMember) -> None:
    """SECURITY 24: a colleague's recovery code is no code."""
    code = codes_on(post(desk, "/staff/account/recovery-codes", "/staff/account"))[0]
    assert sign_in(Visitor(app), make_member(services, member.practice), code).status == 422


def test_removing_is_asked_first(services: Services, desk: Visitor, member: AMember) -> None:
    """No one press removes anyone: the button stands behind a line to open and below a sentence. The last manager has none."""
    reader = make_member(services, member.practice, role="reader")

    def actions(kind: str) -> set[str]:
        tree = desk.get(MEMBERS).tree
        return {form.get("action", "").rpartition("members/")[2] for one in tree.iter(kind) for form in one.iter("form")}

    assert actions("details") == {f"{reader.id}/remove"}
    assert actions("main") == {f"{reader.id}/remove", f"{reader.id}/role", "invite"}
    assert "make someone else one too" in desk.get(MEMBERS).text
    second = make_member(services, member.practice)
    assert actions("details") == {f"{one.id}/remove" for one in (reader, second, member)}
    assert {f"{one.id}/role" for one in (reader, second, member)} < actions("main")

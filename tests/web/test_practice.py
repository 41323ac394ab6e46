"""The practice's settings: what a manager chooses is what patients and staff then get, and the audit trail says so."""

import json
from typing import Any

import pytest
from flask import Flask

from capture.actions.issue_link import Draft, issue_link
from capture.actions.set_practice import choices_of, set_practice
from capture.errors import NotAllowed
from capture.services import Services
from capture.store.models import AuditEvent, Practice, SessionRow
from tests.builders import APractice, ARequest, make_member, make_practice, make_request, make_submitted
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, patient, staff
from tests.web.system import make_system

SETTINGS = "/staff/practice/settings"


def stored(services: Services, practice: APractice) -> Practice:
    with services.database.read() as db:
        return db.get_one(Practice, practice.id)


def events(services: Services, practice: APractice, action: str) -> list[dict[str, Any]]:
    with services.database.read() as db:
        found = db.query(AuditEvent).filter_by(practice_id=practice.id, action=action).all()
    return [json.loads(event.facts) for event in found]


def save(desk: Visitor, **changes: Any) -> Page:
    return desk.submit(desk.get(SETTINGS), changes, to=SETTINGS)


def test_the_form_shows_and_keeps_what_is_there(services: Services, desk: Visitor, practice: APractice) -> None:
    """Saving the form as it stands changes nothing and puts nothing into the audit trail."""
    before = choices_of(stored(services, practice))
    page = desk.follow(save(desk))
    assert "Saved" in page.text
    assert choices_of(stored(services, practice)) == before
    assert events(services, practice, "practice set") == []


def test_what_is_chosen_is_kept_and_on_record(services: Services, desk: Visitor, practice: APractice) -> None:
    """SECURITY 40: each choice is kept; the audit trail names the fields that changed, and none of what stands in them."""
    chosen = {
        "name": "Oak Surgery",
        "logo_text": "Oak",
        "phone": "0191 498 0999",
        "opens_5": "09:00",
        "closes_5": "12:00",
        "preset": "vision-745kb",
        "wait_hours": "8",
        "remind_days": "0",
        "keep_attached_days": "1",
        "keep_collected_days": "365",
        "notice_email": "desk@oak.example",
    }
    assert desk.follow(save(desk, **chosen)).status == 200
    now = stored(services, practice)
    assert [getattr(now, name) for name in ("name", "logo_text", "phone", "preset", "notice_email")] == [
        "Oak Surgery",
        "Oak",
        "0191 498 0999",
        "vision-745kb",
        "desk@oak.example",
    ]
    assert (now.wait_hours, now.remind_days) == (8, 0)
    assert (now.keep_attached_days, now.keep_collected_days) == (1, 365)
    (facts,) = events(services, practice, "practice set")
    numbers = "wait_hours remind_days keep_attached_days keep_collected_days"
    assert facts == {"fields": f"name phone logo_text opening_hours preset {numbers} notice_email"}


def test_patients_see_the_short_name_and_the_hours(desk: Visitor, visitor: Visitor, asked: ARequest) -> None:
    """The short name stands at the top, the whole name where it is spoken of, the hours beside the phone number, in words."""
    assert "Opening hours: Monday to Friday, 8am to 6:30pm" in visitor.get(asked.path).text
    save(desk, logo_text="Elm", opens_5="09:00", closes_5="12:00")
    page = visitor.get(asked.path)
    header = "".join(page.find("header").itertext())
    assert "Elm" in header
    assert asked.practice.name not in header
    assert asked.practice.name in page.text
    assert "Monday to Friday, 8am to 6:30pm; Saturday, 9am to noon" in page.text


def test_hours_in_another_language(visitor: Visitor, asked: ARequest) -> None:
    """Days and times are written as the patient's language writes them."""
    visitor.get(f"{asked.path}?lang=cy")
    visitor.client.set_cookie("__Host-language", "cy", domain="photos.example.org", secure=True)
    assert "Dydd Llun – Dydd Gwener, 08:00 – 18:30" in visitor.get(asked.path).text


def test_languages_that_are_not_offered(services: Services, desk: Visitor, visitor: Visitor, asked: ARequest) -> None:
    """A language that the practice does not offer is neither shown nor spoken, whatever browser and cookie ask for."""
    visitor.client.set_cookie("__Host-language", "cy", domain="photos.example.org", secure=True)
    assert visitor.get(asked.path).tree.get("lang") == "cy"
    save(desk, language=["en"])
    assert stored(services, asked.practice).languages == "en"
    page = visitor.get(asked.path, headers={"Accept-Language": "cy"})
    assert page.tree.get("lang") == "en"
    assert "Cymraeg" not in page.text
    save(desk, language=["en", "cy"])
    assert stored(services, asked.practice).languages == ""


def test_photos_that_are_switched_off(services: Services, desk: Visitor, practice: APractice, asked: ARequest) -> None:
    """What is switched off is not offered and cannot be asked for by any way; what was asked for already goes on."""
    off = ["lesion", "follow-up"]
    save(desk, protocol=[name for name in services.catalogue.protocols if name not in off])
    assert stored(services, practice).protocols_off.split() == off
    assert 'value="lesion"' not in desk.get("/staff/requests/new").data.decode()
    for protocol, follows in (("lesion", ""), ("follow-up", asked.receipt)):
        draft = Draft("A", asked.born, "", "back", "", protocol, 7, f"{protocol:x<32}", follows=follows)
        with pytest.raises(NotAllowed, match="does not ask for these"):
            issue_link(services, practice.id, draft, actor="operator")
    make_submitted(services, asked)


def test_another_system_keeps_to_it_too(app: Flask, services: Services, desk: Visitor, practice: APractice) -> None:
    """What is switched off cannot be asked for through the API either; the answer says so. The trail names the system."""
    system = make_system(app, services, practice)
    assert system.ask().status_code == 201
    save(desk, protocol=["rash"])
    answer = system.ask()
    assert 400 <= answer.status_code < 500
    assert "does not ask for these photos" in answer.text
    assert "Record system" in desk.get("/staff/practice/audit?action=request+sent").text


def test_the_preset_comes_first(services: Services, desk: Visitor, asked: ARequest) -> None:
    """The page that opens photos proposes the practice's own preset."""
    bundle = make_submitted(services, asked)
    save(desk, preset="web-100mb")
    page = desk.get(f"/staff/bundles/{bundle.id}")
    listed = json.loads(page.find("div", id="open").get("data-presets", ""))
    assert [one["name"] for one in listed] == ["web-100mb", "ers-5mb", "vision-745kb"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": " "}, "name", "Enter the name"),
        ({"name": "x" * 201}, "name", "at most 200"),
        ({"phone": ""}, "phone", "Enter a phone number"),
        ({"phone": "call us"}, "phone", "Enter a phone number"),
        ({"phone": "0" * 41}, "phone", "at most 40"),
        ({"logo_text": "x" * 61}, "logo_text", "at most 60"),
        ({"opens_0": ""}, "opens_0", "Monday: Enter both times"),
        ({"opens_6": "18:00", "closes_6": "09:00"}, "opens_6", "Sunday: The closing time"),
        ({f"{end}_{day}": "" for day in range(7) for end in ("opens", "closes")}, "opens_0", "at least one day"),
        ({"preset": "x"}, "preset", "referrals"),
        ({"protocol": []}, "protocol", "at least one list"),
        ({"language": []}, "language", "at least one language"),
        ({"language": ["xx"]}, "language", "at least one language"),
        ({"wait_hours": "0"}, "wait_hours", "from 1 to 200"),
        ({"wait_hours": "soon"}, "wait_hours", "from 1 to 200"),
        ({"remind_days": "28"}, "remind_days", "from 0 to 27"),
        ({"remind_days": "-1"}, "remind_days", "from 0 to 27"),
        ({"keep_attached_days": "0"}, "keep_attached_days", "from 1 to 365"),
        ({"keep_collected_days": "366"}, "keep_collected_days", "from 1 to 365"),
        ({"keep_collected_days": "ever"}, "keep_collected_days", "from 1 to 365"),
        ({"notice_email": "desk"}, "notice_email", "email address"),
        ({"notice_email": "a@b.c\nd@e.f"}, "notice_email", "email address"),
    ],
)
def test_mistakes(services: Services, desk: Visitor, practice: APractice, changes: dict[str, Any], field: str, said: str) -> None:
    """Each mistake is a sentence at its field, what was typed stays, and nothing is changed."""
    before = choices_of(stored(services, practice))
    page = save(desk, **{"logo_text": "Elm", **changes})
    assert page.status == 422
    assert list(page.errors) == [field]
    assert said in page.errors[field]
    typed = page.form(SETTINGS)[1]
    for name, value in changes.items():
        if isinstance(value, str) and (name in {"opens_0", "phone"} or name.endswith(("_hours", "_days"))):
            assert typed[name] == [value[:41]]
    assert choices_of(stored(services, practice)) == before


def test_the_action_refuses_too(services: Services, practice: APractice) -> None:
    """What the form would refuse is refused below it as well, with the same sentence."""
    choices = choices_of(stored(services, practice))
    with pytest.raises(NotAllowed, match="languages from the list"):
        set_practice(services, practice.id, type(choices)(**{**vars(choices), "languages": ("xx",)}), actor="x")


def test_the_later_of_two_managers_counts(app: Flask, services: Services, practice: APractice, desk: Visitor) -> None:
    """Two managers who save at the same time both succeed; the later form counts as a whole, and both are on record."""
    other = staff(app, session_of(services, make_member(services, practice)))
    first, second = desk.get(SETTINGS), other.get(SETTINGS)
    assert desk.submit(first, {"logo_text": "One"}, to=SETTINGS).status == 303
    assert other.submit(second, {"logo_text": "Two"}, to=SETTINGS).status == 303
    assert stored(services, practice).logo_text == "Two"
    assert events(services, practice, "practice set") == [{"fields": "logo_text"}] * 2


def test_only_managers(app: Flask, services: Services, practice: APractice) -> None:
    """Who is no manager is told who may, and is offered no way there."""
    reader = staff(app, session_of(services, make_member(services, practice, role="reader")))
    assert reader.get(SETTINGS).status == 403
    assert "/staff/practice" not in reader.get("/staff/").data.decode()


def test_intimate_places(app: Flask, services: Services, desk: Visitor, member: Any, practice: APractice) -> None:
    """A manager who has just signed in allows these photos of adults and stops them, on record; later it takes signing in."""

    assert "anyone under 18 are never asked for" in desk.get(SETTINGS).text
    for allowed in (True, False):
        assert desk.submit(desk.get(SETTINGS), to="/intimate").status == 303
        assert stored(services, practice).intimate_allowed is allowed
    assert len(events(services, practice, "intimate places on")) == len(events(services, practice, "intimate places off")) == 1
    assert desk.open("POST", "/staff/practice/intimate", data={"csrf_token": desk.csrf(SETTINGS)}).status == 403
    with services.database.write() as db:
        for row in db.query(SessionRow).filter_by(member_id=member.id):
            row.created_at = row.created_at.replace(hour=row.created_at.hour - 1)
    page = desk.get(SETTINGS)
    assert "sign out and sign in again first" in page.text
    data = {"csrf_token": desk.csrf(SETTINGS), "allowed": "yes"}
    assert desk.open("POST", "/staff/practice/intimate", data=data).status == 403
    assert stored(services, practice).intimate_allowed is False


def test_patient_of_another_practice(services: Services, app: Flask, desk: Visitor) -> None:
    """What one practice chooses is nothing to the patients of another (SECURITY 28)."""
    asked = make_request(services, make_practice(services, name="Oak Surgery"))
    save(desk, logo_text="Elm", language=["en"])
    page = patient(app, asked).get(asked.path)
    assert "Elm" not in page.text
    assert "Cymraeg" in page.text

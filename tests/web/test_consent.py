"""Who agrees, to what, and what the practice reads of it: the patient, a parent, someone who acts for the patient."""

import json
from datetime import date
from typing import Any

import pytest
from flask import Flask

from capture.actions.agree import CONSENT_VERSION, INTIMATE_STATEMENT, STATEMENTS, agree
from capture.actions.allow_intimate import allow_intimate
from capture.actions.submit import submit
from capture.errors import NotAllowed
from capture.sealing.age import open_sealed
from capture.services import Services
from capture.store.models import Request
from capture.store.requests import answers_of
from tests.builders import APractice, ARequest, bundle_of, confirm_patient, make_request, take_photo
from tests.web.html import Page, Visitor, patient

CHILD, YOUNG, ADULT = date(2016, 5, 4), date(2009, 5, 4), date(1957, 8, 23)
ALL = {"agree": list(STATEMENTS), "who": "me", "helper": "me"}


def come_in(app: Flask, services: Services, asked: ARequest) -> Visitor:
    return patient(app, asked, confirm_patient(services, asked))


def said(services: Services, asked: ARequest) -> dict[str, Any]:
    """What staff read once the photos are sent."""
    take_photo(services, asked)
    submit(services, asked.id, "")
    request: dict[str, Any] = json.loads(open_sealed(bundle_of(services, asked).request_part, [asked.practice.identity]))
    return request


def choices(page: Page) -> list[str]:
    return [one.get("value", "") for one in page.tree.iter("input") if one.get("name") == "who"]


@pytest.mark.parametrize(
    ("born", "values", "who", "relation"),
    [
        (ADULT, {"who": "me"}, "the patient", None),
        (ADULT, {"who": "parent"}, "someone who acts for the patient, who cannot decide", "parent"),
        (ADULT, {"who": "attorney"}, "someone who acts for the patient, who cannot decide", "attorney or deputy"),
        (
            ADULT,
            {"who": "other", "relation": "her <sister>"},
            "someone who acts for the patient, who cannot decide",
            "her <sister>",
        ),
        (YOUNG, {"who": "me"}, "the patient", None),
        (YOUNG, {"who": "parent"}, "a parent, or someone with parental responsibility", None),
        (YOUNG, {"who": "carer"}, "someone who acts for the patient, who cannot decide", "carer"),
        (CHILD, {"who": "parent", "relation": "not asked"}, "a parent, or someone with parental responsibility", None),
    ],
)
def test_who_agreed_is_sealed_in_words(
    app: Flask, services: Services, practice: APractice, born: date, values: dict[str, str], who: str, relation: str | None
) -> None:
    """Whoever may agree does so; staff read in words who it was, what was agreed to, in which version, who took the photos."""
    asked = make_request(services, practice, born=born)
    visitor = come_in(app, services, asked)
    page = visitor.submit(visitor.get("/agree"), {**ALL, "helper": "helper", **values})
    assert page.location == "/photos"
    request = said(services, asked)
    assert request["answers"].get("who agreed") == who
    assert request["answers"].get("their relation to the patient") == relation
    assert request["answers"]["who took the photos"] == "someone who helps the patient"
    assert [request["answers"][f"agreed {number}"] for number in (1, 2, 3)] == list(STATEMENTS.values())
    assert request["consent"]["version"] == CONSENT_VERSION


def test_a_child_cannot_agree_alone(app: Flask, services: Services, practice: APractice) -> None:
    """Under 16 the page asks for a parent, and tells a child that says so whom to fetch; the action refuses it as well."""
    asked = make_request(services, practice, born=CHILD)
    visitor = come_in(app, services, asked)
    page = visitor.get("/agree")
    assert choices(page) == ["parent", "me"]
    assert "must agree" in page.text
    refused = visitor.submit(page, ALL)
    assert refused.status == 422
    assert "Ask a parent" in refused.errors["who"]
    assert "who" in visitor.submit(page, {**ALL, "who": "carer"}).errors
    for who in ("me", "proxy"):
        with pytest.raises(NotAllowed):
            agree(services, asked.id, "me", who, "carer" if who == "proxy" else "")
    assert visitor.get("/photos").location == "/agree"


def test_the_choices_fit_the_age(app: Flask, services: Services, practice: APractice) -> None:
    """At 16 and 17 one agrees alone or a parent does; of an adult only a proxy agrees in their place; whose age is unknown, all."""
    for born, expected in ((YOUNG, ["me", "parent"]), (ADULT, ["me", "parent"])):
        visitor = come_in(app, services, make_request(services, practice, born=born))
        assert choices(visitor.get("/agree")) == [*expected, "carer", "attorney", "other"]
    asked = make_request(services, practice, born=ADULT)
    confirm_patient(services, asked)
    with pytest.raises(NotAllowed):
        agree(services, asked.id, "me", "parent")


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"who": ""}, {"who"}),
        ({"who": "a stranger"}, {"who"}),
        ({"who": "other"}, {"relation"}),
        ({"who": "other", "relation": " \x00 "}, {"relation"}),
        ({"helper": ""}, {"helper"}),
        ({"agree": ["use", "seen"]}, {"agree"}),
        ({"agree": ["use", "seen", "kept", "intimate"]}, {"agree"}),
    ],
)
def test_what_is_missing_is_said_at_its_field(visitor: Visitor, asked: ARequest, values: dict[str, Any], fields: set[str]) -> None:
    """Each answer that is missing is named at its field, and what was chosen besides stays chosen."""
    page = visitor.follow(visitor.submit(visitor.get(asked.path), asked.form))
    page = visitor.submit(page, {**ALL, **values})
    assert page.status == 422
    assert set(page.errors) == fields
    kept = page.form()[1]
    assert kept.get("helper") == ([values["helper"]] if values.get("helper") else ["me"] if "helper" not in fields else None)


def test_a_proxy_has_a_relation(services: Services, asked: ARequest) -> None:
    """The action refuses a proxy who does not say who they are, and a relation where there is no proxy."""
    confirm_patient(services, asked)
    for who, relation in (("proxy", ""), ("me", "carer")):
        with pytest.raises(NotAllowed, match="Say who you are"):
            agree(services, asked.id, "me", who, relation)


def test_an_intimate_place_asks_for_more(app: Flask, services: Services, practice: APractice) -> None:
    """For an intimate place of an adult one more box has to be ticked, which says that it is right to say no; staff read it."""
    allow_intimate(services, practice.ods, True)
    asked = make_request(services, practice, site="groin")
    visitor = come_in(app, services, asked)
    page = visitor.get("/agree")
    assert "You can say no" in page.text
    assert "has not asked for them" not in page.text
    assert visitor.submit(page, ALL).errors.keys() == {"agree"}
    assert visitor.submit(page, {**ALL, "agree": [*STATEMENTS, *INTIMATE_STATEMENT]}).location == "/photos"
    assert said(services, asked)["answers"]["agreed 4"] == INTIMATE_STATEMENT["intimate"]


def test_agreeing_again_keeps_what_was_said_besides(services: Services, agreed: Visitor, asked: ARequest) -> None:
    """A second agreement replaces who agreed; the phone's key, and the photos that cannot be taken, stay."""
    agreed.submit(agreed.get("/photos/context/cannot"), {"reason": "hurts"})
    before = answers(services, asked)
    assert len(before.keep_key) == 43
    agreed.submit(agreed.get("/agree"), {**ALL, "who": "carer"})
    after = answers(services, asked)
    assert (after.keep_key, after.skipped) == (before.keep_key, before.skipped)
    assert (before.relation, after.relation) == ("", "carer")


def test_keys_differ(services: Services, practice: APractice) -> None:
    """Two patients' phones keep what waits under keys of their own, and nothing is left of them after the sending."""
    keys = set()
    for _ in range(2):
        asked = make_request(services, practice)
        confirm_patient(services, asked)
        agree(services, asked.id, "me")
        keys.add(answers(services, asked).keep_key)
        said(services, asked)
        assert answers(services, asked).keep_key == ""
    assert len(keys) == 2


def answers(services: Services, asked: ARequest) -> Any:
    with services.database.read() as db:
        return answers_of(db, db.get_one(Request, asked.id))

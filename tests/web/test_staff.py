"""The member's journey: asking, handing over the link, following, opening; and SECURITY 30."""

import io
import json
import zipfile
from datetime import date

import pytest
from flask import Flask

from capture.actions.cancel import cancel
from capture.sealing.age import open_sealed, open_with_passphrase
from capture.sealing.keys import Identity
from capture.services import Services
from capture.store.models import AuditEvent, Photo, Request
from tests.builders import (
    PASSPHRASE,
    VIEWS,
    AMember,
    ARequest,
    agree_patient,
    bundle_of,
    confirm_patient,
    make_member,
    make_practice,
    make_request,
    make_submitted,
    photos_of,
    take_photo,
)
from tests.conftest import Clock
from tests.web.conftest import code_of, session_of
from tests.web.html import Page, Visitor, patient, sign_in, staff

FIELDS = {
    "label": "Quillon Xystus",
    "day": "23",
    "month": "8",
    "year": "1957",
    "reference": "AG-77-1234",
    "site": "back-of-forearm",
    "side": "left",
    "protocol": "lesion",
    "days": "7",
}


def issued(services: Services, member: AMember, page: Page) -> ARequest:
    """The request of which the page shows the link."""
    request_id = page.link("See this request").rpartition("/")[2]
    with services.database.read() as db:
        receipt = db.get_one(Request, request_id).receipt
    link = page.find("input", id="link").get("value", "")
    return ARequest(request_id, link, receipt, member.practice, FIELDS["label"], FIELDS["reference"], date(1957, 8, 23))


def test_journey(app: Flask, services: Services, member: AMember, clock: Clock) -> None:
    """A member signs in, asks for photos, gets the link once, and finds, opens and collects what the patient sent."""
    visitor = Visitor(app, FIELDS["label"], FIELDS["reference"], "1957-08-23")
    page = visitor.follow(sign_in(visitor, member, code_of(member, clock)))
    page = visitor.submit(visitor.get(page.link("Ask for photos")), FIELDS)
    assert page.status == 201
    link = page.find("input", id="link").get("value", "")
    assert link in "".join(page.find("textarea", id="sms").itertext())
    assert [one.tag for one in page.find("div", role="img")] == ["{http://www.w3.org/2000/svg}svg"]
    shown = visitor.get(page.link("See this request"))
    assert shown.heading == FIELDS["label"]
    assert "Link issued by Robin Reception" in shown.text
    assert link.rpartition("/")[2] not in shown.data.decode() + visitor.get("/staff/").data.decode()
    asked = issued(services, member, page)
    confirm_patient(services, asked)
    assert "Taking photos" in visitor.get("/staff/").text
    make_submitted(services, asked, views=VIEWS)
    assert "Waiting for you (1)" in visitor.get("/staff/").text
    page = visitor.get(visitor.get("/staff/").link("Open photos"))
    assert "3 photos of the left" in page.text
    order = json.loads(page.find("div", id="open").get("data-order", ""))
    assert [part["name"] for part in order["parts"]] == [
        "request.json.age",
        *(f"photos/{number:02}-{view}.jpg.age" for number, view in enumerate(VIEWS, 1)),
    ]
    assert order["receipt"] == asked.receipt
    collected = visitor.open(
        "POST",
        page.find("div", id="open").get("data-collected", ""),
        headers={"X-CSRFToken": page.find("div", id="open").get("data-csrf", "")},
    )
    assert collected.json == {"ok": True}
    assert "Photos opened by Robin Reception" in visitor.get(f"/staff/requests/{asked.id}").text


def test_parts_open_with_the_identity_file(services: Services, desk: Visitor, asked: ARequest) -> None:
    """What the opening page is given is all that a browser needs: identity file, manifest, and parts that open to JPEGs."""
    make_submitted(services, asked, views=("context", "close-up"))
    page = desk.get(f"/staff/bundles/{bundle_of(services, asked).id}")
    order = json.loads(page.find("div", id="open").get("data-order", ""))
    file = desk.get(order["identities"][0]["url"])
    text = open_with_passphrase(file.data, PASSPHRASE).decode()
    secret = next(line for line in text.splitlines() if line.startswith("AGE-SECRET-KEY-PQ-1"))
    assert order["identities"][0]["fingerprint"] == Identity.parse(secret).recipient.fingerprint
    manifest = json.loads(desk.get(order["manifestUrl"]).data)
    assert [part["name"] for part in manifest["parts"]] == [part["name"] for part in order["parts"]]
    for part in order["parts"][1:]:
        answer = desk.get(part["url"])
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Length"] == str(part["size"])
        assert open_sealed(answer.data, [Identity.parse(secret)]).startswith(b"\xff\xd8\xff")
    signature, signed = desk.get(order["signatureUrl"]).data, desk.get(order["manifestUrl"]).data
    assert services.signing_key.verifying_key.verifies(signature, signed)


def test_download(services: Services, desk: Visitor, asked: ARequest) -> None:
    """The download is a ZIP of the sealed parts under a name that says nothing of the patient; it is on record."""
    make_submitted(services, asked)
    page = desk.get(f"/staff/bundles/{bundle_of(services, asked).id}.zip")
    assert page.headers["Content-Disposition"] == f'attachment; filename="capture-{asked.receipt}.zip"'
    with zipfile.ZipFile(io.BytesIO(page.data)) as archive:
        assert archive.namelist() == ["bundle.json", "bundle.sig", "request.json.age", "photos/01-close-up.jpg.age"]
    assert "Encrypted photos downloaded by" in desk.get(f"/staff/requests/{asked.id}").text


def test_missing_part(services: Services, desk: Visitor, asked: ARequest) -> None:
    """A part that is gone from the store, or that a bundle never had, is a page that says so; the others are still served."""
    make_submitted(services, asked, views=("context", "close-up"))
    bundle = bundle_of(services, asked)
    blobs = {photo.view: photo.blob for photo in photos_of(services, asked)}
    (services.settings.var / "blobs" / blobs["context"]).unlink()
    parts = f"/staff/bundles/{bundle.id}/parts"
    assert desk.get(f"{parts}/photos/01-context.jpg.age").status == 404
    assert desk.get(f"{parts}/photos/02-close-up.jpg.age").status == 200
    assert desk.get(f"{parts}/photos/03-none.jpg.age").status == 404
    assert desk.get(f"{parts}/../../../etc/passwd").status == 404


def test_photo_that_is_not_in_the_database(services: Services, desk: Visitor, asked: ARequest) -> None:
    """A part whose row was lost is an error that is named, not a page that pretends."""
    make_submitted(services, asked)
    with services.database.write() as db:
        db.query(Photo).delete()
    page = desk.get(f"/staff/bundles/{bundle_of(services, asked).id}/parts/photos/01-close-up.jpg.age")
    assert page.status == 422
    assert "is not in the database" in page.text


def test_opening_again(services: Services, desk: Visitor, asked: ARequest) -> None:
    """Each opening is on record; the first one says when the photos were collected."""
    make_submitted(services, asked)
    bundle = bundle_of(services, asked)
    token = desk.csrf("/staff/")
    for _ in range(2):
        assert desk.open("POST", f"/staff/bundles/{bundle.id}/collected", data={"csrf_token": token}).status == 200
    assert bundle_of(services, asked).collected_at is not None
    text = desk.get(f"/staff/requests/{asked.id}").text
    assert text.count("Photos opened by Robin Reception") == text.count("Photos opened again by Robin Reception") == 1


def test_what_members_look_at_is_on_record(services: Services, desk: Visitor, asked: ARequest) -> None:
    """SECURITY 40: viewing, fetching the key file and downloading are on record, without patient data."""
    make_submitted(services, asked)
    page = desk.get(f"/staff/bundles/{bundle_of(services, asked).id}")
    order = json.loads(page.find("div", id="open").get("data-order", ""))
    desk.get(order["identities"][0]["url"])
    desk.get(f"/staff/bundles/{bundle_of(services, asked).id}.zip")
    with services.database.read() as db:
        events = db.query(AuditEvent).filter_by(practice_id=asked.practice.id).all()
        text = str([vars(event) for event in events])
    assert {"bundle viewed", "key file fetched", "bundle downloaded"} <= {event.action for event in events}
    assert not any(secret in text for secret in (*asked.private, asked.token))


def test_cancelling(app: Flask, services: Services, desk: Visitor, asked: ARequest) -> None:
    """Cancelling ends link and session at once and deletes what was not sent, as the page says; it cannot be done twice."""
    agreed = patient(app, asked, agree_patient(services, asked))
    take_photo(services, asked)
    page = desk.get(f"/staff/requests/{asked.id}")
    assert "photos the patient has not sent are deleted" in page.text
    page = desk.follow(desk.open("POST", f"/staff/requests/{asked.id}/cancel", data={"csrf_token": desk.csrf("/staff/")}))
    assert "Cancelled" in page.text
    assert "Cancel this request" not in page.text
    assert patient(app, asked).get(asked.path).status == 404
    assert agreed.get("/photos").heading == "This link does not work"
    assert list((services.settings.var / "blobs").rglob("*.age")) == []
    assert photos_of(services, asked) == []
    token = desk.csrf("/staff/")
    assert desk.open("POST", f"/staff/requests/{asked.id}/cancel", data={"csrf_token": token}).status == 409


def test_too_late_to_cancel(services: Services, desk: Visitor, asked: ARequest) -> None:
    """What was sent cannot be taken back, and nothing of it is deleted."""
    make_submitted(services, asked)
    token = desk.csrf("/staff/")
    assert desk.open("POST", f"/staff/requests/{asked.id}/cancel", data={"csrf_token": token}).status == 409
    assert len(photos_of(services, asked)) == 1
    assert len(list((services.settings.var / "blobs").rglob("*.age"))) == 1


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"label": " "}, "label", "Enter a name or label"),
        ({"day": ""}, "dob", "must include a day"),
        ({"site": ""}, "site", "Choose the place"),
        ({"site": "groin"}, "site", "intimate"),
        ({"side": ""}, "side", "left or right"),
        ({"protocol": "wart"}, "protocol", "which photos"),
        ({"days": "8"}, "days", "how long"),
        ({"days": "²"}, "days", "how long"),
    ],
)
def test_form_with_mistakes(desk: Visitor, changes: dict[str, str], field: str, sentence: str) -> None:
    """Each mistake gets a sentence at its field; what was right stays as it was typed."""
    desk.private = ()
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, **changes})
    assert page.status == 422
    assert sentence in page.errors[field]
    assert page.form()[1]["reference"] == [FIELDS["reference"]]


@pytest.mark.parametrize("key", ["", "x" * 32, "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n"])
def test_form_that_is_not_ours(desk: Visitor, key: str) -> None:
    """A form without the key that keeps it from issuing two links is refused with a sentence, and issues none."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "key": key})
    assert page.status == 409
    assert "open too long" in page.text


def test_intimate_place_of_a_child(desk: Visitor) -> None:
    """An intimate photo of a child is never asked for, also by a page that was tampered with."""
    page = desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "year": "2015", "site": "groin", "side": "left"})
    assert page.status == 422
    assert "under 18" in page.errors["site"]


def test_place_without_sides(desk: Visitor) -> None:
    """A side that was chosen before the place was changed to one without sides does no harm."""
    assert desk.submit(desk.get("/staff/requests/new"), {**FIELDS, "site": "scalp"}).status == 201


def test_states(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """The list says where each request stands, an expired one too, before anything has noted it."""
    sent = make_request(services, asked.practice, label="Sent")
    make_submitted(services, sent, delivered=False)
    cancelled = make_request(services, asked.practice, label="Taken back")
    cancel(services, asked.practice.id, cancelled.id, actor="operator")
    text = desk.get("/staff/").text
    for words in ("Link not opened yet", "Cancelled", "Waiting for you (1)"):
        assert words in text
    clock.forward(days=7)
    desk.set_cookie("staff", session_of(services, make_member(services, asked.practice)))
    assert "Link expired" in desk.get("/staff/").text


def test_nothing_there(app: Flask, services: Services) -> None:
    """A new practice finds two friendly sentences in its inbox."""
    member = make_member(services, make_practice(services))
    text = staff(app, session_of(services, member)).get("/staff/").text
    assert "Nothing is waiting" in text
    assert "You have not asked for any other photos" in text


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></title></template><svg onload=alert(1)>",
    '=HYPERLINK("https://evil.example")',
    "javascript:alert(1)",
    "\u202egnp.exe\u2028\u0000end",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_markup_is_inert(app: Flask, services: Services, member: AMember, nasty: str) -> None:
    """SECURITY 30: whatever is typed as label or reference is shown as text on every page, and runs nowhere."""
    visitor = staff(app, session_of(services, member))
    page = visitor.submit(visitor.get("/staff/requests/new"), {**FIELDS, "label": nasty, "reference": nasty})
    assert page.status == 201
    asked = issued(services, member, page)
    wrong = visitor.submit(visitor.get("/staff/requests/new"), {**FIELDS, "label": nasty, "reference": nasty, "days": ""})
    typed = "".join(sign if sign.isprintable() else " " for sign in nasty).strip()
    assert wrong.form()[1]["label"] == [typed]
    make_submitted(services, asked)
    bundle = bundle_of(services, asked)
    for path in ("/staff/", f"/staff/requests/{asked.id}", f"/staff/bundles/{bundle.id}"):
        page = visitor.get(path)
        assert " ".join(typed.split()) in page.text
        assert "49" not in page.title
        elements = [(one.tag, one.get("src"), one.get("href")) for one in page.tree.iter() if one.get("src") or one.get("href")]
        assert not any("evil" in str(one) or "alert" in str(one) or "=x" in str(one) for one in elements)
        assert [one.tag for one in page.tree.iter() if one.get("onerror") or one.get("onload")] == []


def test_markup_in_the_name_of_a_practice(app: Flask, services: Services) -> None:
    """SECURITY 30: nor does what an operator types run in the patient's pages."""
    practice = make_practice(services, name=NASTY[1])
    asked = make_request(services, practice)
    page = Visitor(app).get(asked.path)
    assert NASTY[1] in page.text

"""What the log says: SECURITY 7."""

import json
import logging

import pytest
from flask import Flask

from capture.services import Services
from tests.builders import AMember, ARequest, agree_patient, photo_bytes
from tests.web.conftest import session_of
from tests.web.html import Visitor, patient, staff
from tests.web.test_sign_in import give_password


def said(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged, by anyone, with what it was logged with."""
    lines = ((one.name, one.getMessage(), one.args, one.exc_info, one.exc_text) for one in caplog.records)
    return "\n".join(map(str, lines))


def test_nothing_of_the_patient(
    app: Flask,
    services: Services,
    asked: ARequest,
    member: AMember,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SECURITY 7: no token, date, name, note or session in any line of any logger at any level, for 200, 4xx and 5xx alike."""
    caplog.set_level(logging.DEBUG)
    visitor = patient(app, asked)
    form = visitor.get(asked.path)
    visitor.submit(form, asked.wrong)
    visitor.submit(visitor.get(asked.path), asked.form)
    visitor.get(f"/r/{asked.token}x")
    Visitor(app).get(f"/nowhere/{asked.token}?dob={asked.born}")
    visitor.open("POST", asked.path, data=asked.form)
    visitor.open("PUT", asked.path, data=asked.form)
    visitor.open("POST", asked.path, data=b"x" * 70_000)
    agreed = patient(app, asked, agree_patient(services, asked))
    agreed.send_photo(agreed.get("/photos/close-up"), b"not a photo", "Quillon Xystus.jpg")
    agreed.send_photo(agreed.get("/photos/close-up"), photo_bytes(), "Quillon Xystus.jpg")
    agreed.submit(agreed.get("/check"), {"note": "my secret note"})
    desk = staff(app, session_of(services, member), asked)
    desk.get("/staff/")
    desk.get(f"/staff/requests/{asked.id}")
    with monkeypatch.context() as broken:

        def fail(*args: object) -> None:
            raise ValueError(f"{asked.token} {asked.label} {asked.born} {args}")

        broken.setattr("capture.actions.open_link.find_link", fail)
        broken.setattr("capture.web.request_rows.details_of", fail)
        assert patient(app, asked).get(asked.path).status == 500  # from a browser that holds no receipt
        assert visitor.submit(form, asked.form).status == 500
        assert desk.get("/staff/").status == 500
    text = said(caplog)
    cookies = [agreed.cookie("patient"), desk.cookie("staff"), visitor.cookie("form")]
    for secret in (asked.token, *asked.private, str(asked.born.year), "secret note", asked.practice.phone, *cookies):
        assert secret
        assert secret not in text
    assert "unexpected ValueError at fail" in text
    assert '"status": 500' in text


def test_nothing_of_who_is_limited(app: Flask, member: AMember, caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY 7: a limit that was reached is logged without the e-mail address and without the half signed-in session."""
    caplog.set_level(logging.DEBUG)
    visitor = Visitor(app)
    form = visitor.follow(give_password(visitor, member))
    assert [visitor.submit(form, {"code": "000000"}).status for _ in range(6)][-1] == 429
    token = visitor.csrf("/staff/sign-in")
    data = {"csrf_token": token, "email": member.email, "password": ""}
    statuses = [
        visitor.open("POST", "/staff/sign-in", data=data, environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"}).status
        for number in range(10)
    ]
    assert statuses[-1] == 429
    text = said(caplog)
    assert text.count("exceeded at endpoint") == 2
    for secret in (member.email, visitor.cookie("password"), member.password, member.code_secret, member.name):
        assert secret
        assert secret not in text


def test_one_line_a_request(visitor: Visitor, asked: ARequest, caplog: pytest.LogCaptureFixture) -> None:
    """Each request is one line of JSON: which route, how, how long; never the address."""
    caplog.set_level(logging.INFO, "capture.access")
    visitor.get(asked.path)
    visitor.get("/nothing")
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "capture.access"]
    assert [{**line, "ms": type(line["ms"])} for line in lines] == [
        {"route": "patient.start", "method": "GET", "status": 200, "ms": int},
        {"route": "none", "method": "GET", "status": 404, "ms": int},
    ]

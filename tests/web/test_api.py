"""Who may call the API: tokens, scopes, practices, other sites, logs; SECURITY 3, 7, 28, 29 and 40 for other systems."""

from datetime import timedelta

import pytest
from flask import Flask

from capture.actions.tokens import revoke_token
from capture.domain.tokens import SCOPES, new_token
from capture.services import Services
from capture.store import tokens
from capture.store.models import AuditEvent
from capture.store.tokens import Token
from tests.builders import APractice, ARequest, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import app_with
from tests.web.html import Visitor
from tests.web.system import ASKED, ROOT, System, error_of, make_system


@pytest.fixture
def system(app: Flask, services: Services, practice: APractice) -> System:
    return make_system(app, services, practice)


CALLS = {
    "requests:write": [("POST", "/requests"), ("POST", "/requests/{request}/cancel")],
    "requests:read": [("GET", "/requests"), ("GET", "/requests/{request}")],
    "bundles:read": [
        ("GET", "/bundles"),
        ("GET", "/bundles/{bundle}"),
        ("GET", "/bundles/{bundle}.zip"),
        ("GET", "/bundles/{bundle}/parts/bundle.json"),
    ],
    "bundles:acknowledge": [("POST", "/bundles/{bundle}/acknowledge")],
}


def routes_of(app: Flask) -> set[tuple[str, str]]:
    """Every route of the API that wants a token, by method and path as in CALLS: a new one cannot be forgotten there."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.") and rule.endpoint != "api.document"]
    paths = {"<id:request_id>": "{request}", "<id:bundle_id>": "{bundle}", "<path:name>": "bundle.json"}
    routes = set()
    for rule in found:
        path = rule.rule.removeprefix(ROOT)
        for name, ours in paths.items():
            path = path.replace(name, ours)
        routes |= {(method, path) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return routes


def test_scopes(app: Flask, services: Services, practice: APractice) -> None:
    """SECURITY 28: with one scope a token does what that scope is for and is refused all else; no route is without one."""
    asked = make_request(services, practice)
    make_submitted(services, asked)
    ids = {"request": make_request(services, practice).id, "bundle": bundle_of(services, asked).id}
    assert routes_of(app) == {call for calls in CALLS.values() for call in calls}
    for scope in SCOPES:
        system = make_system(app, services, practice, scope)
        for needed, calls in CALLS.items():
            for method, path in calls:
                answer = system.call(method, path.format(**ids), json=ASKED if path == "/requests" and method == "POST" else None)
                if needed == scope:
                    assert answer.status_code in {200, 201}, (scope, path)
                else:
                    assert error_of(answer) == (403, "scope-missing"), (scope, path)
                    assert needed in answer.json["error"]["sentence"]


def test_tokens_that_open_nothing(app: Flask, services: Services, practice: APractice, system: System, clock: Clock) -> None:
    """SECURITY 3: none, malformed, unknown, revoked and over get the same 401; the time of the last use is noted."""
    revoked, short = make_system(app, services, practice), make_system(app, services, practice, days=1)
    revoke_token(services, practice.id, revoked.token_id, actor="operator")
    assert short.get("/requests").status_code == 200
    clock.forward(days=1)
    bad = [System(app), System(app, new_token()), System(app, system.token[:-1]), System(app, "é"), revoked, short]
    answers = [one.get("/requests") for one in bad]
    answers += [System(app).get("/requests", headers={"Authorization": value}) for value in ("", "Bearer", f"Basic {system.token}")]
    assert {error_of(answer) for answer in answers} == {(401, "token-refused")}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="capture"'}
    assert len({answer.data for answer in answers}) == 1
    assert system.get("/requests", headers={"Authorization": f"bearer {system.token}"}).status_code == 200
    with services.database.read() as db:
        used = {token.id: token.used_at for token in tokens.list_tokens(db, practice.id)}
    assert used == {system.token_id: clock(), revoked.token_id: None, short.token_id: clock() - timedelta(days=1)}


def test_a_cookie_is_no_token(app: Flask, desk: Visitor) -> None:
    """SECURITY 29: a signed-in member's browser can do nothing here, so no other site can make it do anything."""
    assert desk.get(f"{ROOT}/requests").status == 401
    assert desk.open("POST", f"{ROOT}/requests", json=ASKED).status == 401


def test_pages_of_other_sites(system: System) -> None:
    """SECURITY 29: no other site's page may call, not even with a token, and none is told that it may."""
    assert error_of(system.post("/requests", json=ASKED, headers={"Origin": "https://evil.example"}))[0] == 400
    answer = system.get("/requests", headers={"Origin": "https://evil.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_another_practice_sees_nothing(app: Flask, services: Services, asked: ARequest) -> None:
    """SECURITY 28: each call with an id of another practice answers 404 in the bytes of an id that nobody has."""
    make_submitted(services, asked)
    other = make_system(app, services, make_practice(services, name="Oak Surgery"))
    theirs, nobody = {"request": asked.id, "bundle": bundle_of(services, asked).id}, dict.fromkeys(("request", "bundle"), "0" * 32)
    for method, path in (call for calls in CALLS.values() for call in calls if "{" in call[1]):
        answers = [other.call(method, path.format(**ids)) for ids in (theirs, nobody)]
        assert {error_of(answer) for answer in answers} == {(404, "not-found")}, path
        assert answers[0].data == answers[1].data
    assert other.get("/requests").json == {"requests": [], "next": None}
    assert other.get("/bundles?state=all").json == {"bundles": [], "next": None}


def test_too_many_calls(
    app: Flask, services: Services, practice: APractice, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One token's calls are limited, on all routes together, and another's are not; the answer says when to come again."""
    monkeypatch.setattr("capture.web.api.calls.RATE", "5 per minute")
    limited = app_with(services)
    first, second = System(limited, system.token), make_system(limited, services, practice)
    for path in ("/requests", "/bundles", "/requests", "/bundles", "/requests"):
        assert first.get(path).status_code == 200
    answer = first.get("/bundles")
    assert error_of(answer) == (429, "too-many-requests")
    assert answer.headers["Retry-After"] == "60"
    assert second.get("/bundles").status_code == 200


def test_errors_are_json_in_english(app: Flask, system: System) -> None:
    """Whatever goes wrong under /api is told as JSON in English: no such address, no such method, an error of ours."""
    speaks_welsh = {"Accept-Language": "cy", "Accept": "text/html"}
    answers = [
        System(app).get("/nothing", headers=speaks_welsh),
        System(app).get("/requests/x", headers=speaks_welsh),
        System(app).call("DELETE", "/requests", headers=speaks_welsh),
    ]
    assert [error_of(answer) for answer in answers] == [(404, "not-found"), (404, "not-found"), (405, "method-not-allowed")]
    assert "another practice" in answers[0].json["error"]["sentence"]
    assert set(answers[2].headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    app.view_functions["api.list_all"] = lambda: str(1 / 0)
    assert error_of(system.get("/requests")) == (500, "error")


def test_tokens_are_in_no_log(system: System, caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY 7: neither a token nor a label is in a log, not for a good call and not for a bad one."""
    caplog.set_level("DEBUG")
    system.ask()
    system.ask(days=99)
    System(system.client.application, system.token[:-1]).get("/requests")
    assert caplog.text
    assert system.token[:-1] not in caplog.text
    assert ASKED["label"] not in caplog.text


def test_a_patients_site_has_no_api(services: Services, system: System) -> None:
    """Where the patients' pages run apart there is no API."""
    patients = app_with(services, surface="patient", origin="https://photos.example.org")
    assert System(patients, system.token).get("/requests").status_code == 404


def test_a_token_holds_what_it_was_made_for(services: Services, practice: APractice, system: System) -> None:
    """SECURITY 40: making and revoking are in the audit trail, with scopes and days, and without the token."""
    revoke_token(services, practice.id, system.token_id, actor="operator")
    revoke_token(services, practice.id, system.token_id, actor="operator")
    with services.database.read() as db:
        events = [event for event in db.query(AuditEvent) if event.action.startswith("token ")]
        assert [event.action for event in events] == ["token made", "token revoked"]
        assert '"days": 365' in events[0].facts
        assert system.token not in "".join(event.facts for event in events)
        assert db.get_one(Token, system.token_id).scopes.split() == list(SCOPES)

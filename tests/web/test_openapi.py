"""The API's document is what the API does: every route, scope and field, and answers to hostile calls made out of it."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from werkzeug.routing import Rule

from capture.domain.requests import State
from capture.domain.tokens import SCOPES
from capture.services import Services
from capture.web.api import reading, requests
from capture.web.ask_fields import MESSAGE_LIMIT
from tests.builders import APractice, bundle_of, make_request, make_submitted
from tests.web.html import ORIGIN
from tests.web.system import ROOT, System, make_system

EACH = 12
"""Calls made of each operation that are right, and as many that are wrong."""
LATER = ("ignored_auth", "positive_data_acceptance")
"""What test_api.py and test_api_requests.py check by hand: no token; a body of the right form that a policy refuses."""


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    answer = System(app).get("/openapi.json")
    assert answer.mimetype == "application/json"
    found: dict[str, Any] = answer.json
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")]


def test_every_route_is_there(app: Flask, document: dict[str, Any]) -> None:
    """Each route of the API stands in the document with its method and its scope, and the document has no other."""
    found = {}
    for rule in rules(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).removeprefix(ROOT)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            scope = getattr(app.view_functions[rule.endpoint], "scope", None)
            found[method, path] = [{"token": [scope]}] if scope else None
    assert found == {key: operation.get("security") for key, operation in operations(document).items()}
    assert {scope for security in found.values() if security for scope in security[0]["token"]} == set(SCOPES)


def test_limits_are_those_of_the_code(document: dict[str, Any]) -> None:
    """Lengths, states and numbers in the document are the ones that are checked."""
    schemas, parameters = document["components"]["schemas"], document["components"]["parameters"]
    fields = schemas["NewRequest"]["properties"]
    assert {name: fields[name]["maxLength"] for name in requests.LIMITS} == requests.LIMITS
    assert fields["message"]["maxLength"] == MESSAGE_LIMIT
    assert set(fields) == set(requests.FIELDS)
    assert set(schemas["NewRequest"]["required"]) == {*requests.REQUIRED, "date_of_birth"}
    assert schemas["State"]["enum"] == [str(state) for state in State]
    assert parameters["Limit"]["schema"]["maximum"] == reading.MOST


def test_it_is_openapi(document: dict[str, Any]) -> None:
    """Every schema in it is one of JSON Schema 2020-12, every reference leads somewhere, every operation has a name of its own."""
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    for pointer in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        place: Any = document
        for name in pointer.split("/"):
            place = place[name]
    for pointer in re.findall(r"#/components/(\w+)/(\w+)", json.dumps(document)):
        assert document["components"][pointer[0]][pointer[1]]
    used = set(re.findall(r'"#/components/([\w/]+)"', json.dumps(document)))
    assert used == {
        f"{kind}/{name}" for kind, names in document["components"].items() if kind != "securitySchemes" for name in names
    }
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))


@pytest.mark.mass
def test_hostile_calls(app: Flask, services: Services, practice: APractice, document: dict[str, Any]) -> None:
    """Calls made out of the document, right and wrong ones, never end in a server error, and every answer is as it says."""
    asked = make_request(services, practice)
    make_submitted(services, asked)
    real = {
        "request_id": make_request(services, practice).id,
        "bundle_id": bundle_of(services, asked).id,
        "name": "request.json.age",
    }
    system = make_system(app, services, practice)
    schema = schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", app)
    schema.config.generation.update(with_security_parameters=False)  # every call here has a token
    excluded: list[Any] = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ in LATER]
    seen: dict[str, set[int]] = {}

    def call(case: Any) -> None:
        if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: real[name] for name in case.path_parameters})
            if isinstance(case.body, dict) and case.body.get("days", 7) % 2:
                case.body |= {"protocol": "lesion", "site": "back", "side": "", "follows": "", "date_of_birth": "1957-08-23"}
        headers = {"Authorization": f"Bearer {system.token}"}
        answer = case.call_and_validate(base_url=f"{ORIGIN}{ROOT}", headers=headers, excluded_checks=excluded)
        seen.setdefault(f"{case.method} {case.path}", set()).add(answer.status_code)

    pose: Any = given
    options: Any = settings(
        max_examples=EACH, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    made: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    for operation in made:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            hostile = pose(operation.as_strategy(generation_mode=mode))(call)
            seeded: Any = seed(20261122)
            seeded(options(hostile))()
    assert set(seen) == {" ".join(key) for key in operations(document)} - {"GET /openapi.json"}  # fetched above
    assert {key for key, codes in seen.items() if min(codes) > 201} == set()
    assert 201 in seen["POST /requests"]
    assert all(max(codes) >= 400 for codes in seen.values())

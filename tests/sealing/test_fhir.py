"""Opened photos as a FHIR Bundle: what stands in it, and that the page writes the same. tests/open/fhir.test.js validates it."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from capture.sealing.contents import SealedRequest
from capture.sealing.fhir import write_fhir
from capture.sealing.records import to_json
from capture.settings import ROOT
from tests.sealing.builders import VIEWS, make_photo, make_request
from tests.sealing.conftest import NodeRun

JPEGS = [b"\xff\xd8\xff context", b"\xff\xd8\xff close-up" * 9000, b"\xff\xd8\xff scale"]
PRIMITIVES = {
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "creation": r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?",
    "fullUrl": r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "data": r"([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?",
    "hash": r"[0-9A-Za-z+/]{27}=",
    "code": r"[^\s]+( [^\s]+)*",
}
"""How R4 spells the primitive types of these elements; the validator of tests/open looks at structure and codes only."""


def make(**changes: Any) -> SealedRequest:
    photos = [make_photo(number, view, jpeg) for number, (view, jpeg) in enumerate(zip(VIEWS, JPEGS, strict=True), 1)]
    return make_request(photos, **changes)


def taken(at: str | None) -> SealedRequest:
    request = make()
    return replace(request, photos=tuple(replace(photo, taken_at=at) for photo in request.photos))


def write(request: SealedRequest, *numbers: int) -> bytes:
    photos = [request.photos[number - 1] for number in numbers] or request.photos
    return b"".join(write_fhir(request, photos, lambda photo: JPEGS[request.photos.index(photo)]))


def documents(request: SealedRequest, *numbers: int) -> list[dict[str, Any]]:
    """The DocumentReferences of the file."""
    return [entry["resource"] for entry in json.loads(write(request, *numbers))["entry"][::2]]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every primitive value with the name of its element."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, key)
    elif isinstance(value, list):
        assert value, f"{name} is an empty list"
        for member in value:
            yield from leaves(member, name)
    else:
        yield name, value


def test_each_photo_is_a_binary_and_a_document_that_points_to_it() -> None:
    """The bytes in a Binary are the photo's, and its DocumentReference names them by address, size and SHA-1, as R4 says."""
    bundle = json.loads(write(make()))
    assert (bundle["resourceType"], bundle["type"], len(bundle["entry"])) == ("Bundle", "transaction", 6)
    for number, jpeg in enumerate(JPEGS):
        document, binary = bundle["entry"][2 * number : 2 * number + 2]
        assert binary["resource"]["contentType"] == "image/jpeg"
        assert base64.b64decode(binary["resource"]["data"], validate=True) == jpeg
        assert document["resource"]["content"] == [
            {
                "attachment": {
                    "contentType": "image/jpeg",
                    "url": binary["fullUrl"],
                    "size": len(jpeg),
                    "hash": base64.b64encode(hashlib.sha1(jpeg).digest()).decode(),
                    "title": f"2026-11-22_left-forearm_{VIEWS[number]}_{number + 1}of3.jpg",
                    "creation": "2026-11-21",
                }
            }
        ]


def test_what_uk_core_must_support_is_there() -> None:
    """Each DocumentReference claims the profile and fills each element that UK Core 2.2.0 marks mustSupport."""
    for number, document in enumerate(documents(make()), 1):
        assert document["meta"] == {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-DocumentReference"]}
        assert document["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{document['id']}"}]
        assert document["status"] == "current"
        assert document["type"] == {"coding": [{"system": "http://loinc.org", "code": "72170-4"}], "text": "Photo from a patient"}
        assert document["category"][0]["coding"][0]["code"] == "image"
        assert document["subject"] == {
            "type": "Patient",
            "identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9434765919"},
        }
        assert document["date"] == "2026-11-22T10:15:00Z"
        practice = {
            "type": "Organization",
            "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "A81001"},
            "display": "Ysgol Surgery — Tŷ Mawr",
        }
        assert (document["author"], document["custodian"]) == ([practice], practice)
        assert document["description"] == f"{VIEWS[number - 1].capitalize()}, left forearm. Photo {number} of 3."
        assert len(document["content"]) == 1
        assert "docStatus" not in document  # nobody has verified the photo when this is made


def test_place_and_referral() -> None:
    """The place is the coded event of the context with its side in words; a UBRN is the referral, another reference is not."""
    place = {"coding": [{"system": "http://snomed.info/sct", "code": "371311000"}], "text": "left forearm"}
    assert documents(make())[0]["context"] == {"event": [place]}
    referral = {"type": "ServiceRequest", "identifier": {"system": "https://fhir.nhs.uk/Id/UBRN", "value": "123456789012"}}
    assert documents(make(reference="123456789012"))[0]["context"] == {"event": [place], "related": [referral]}


def test_what_is_not_known_is_left_out() -> None:
    """Without an NHS number the subject is the label, without that there is none; nothing empty is written, which R4 forbids."""
    assert documents(make(nhs_number=""))[0]["subject"] == {"type": "Patient", "display": "Mrs Ada Byron"}
    bare = documents(make(nhs_number="", label=" \n", site="", side="", snomed=None))
    assert "subject" not in bare[0]
    assert "context" not in bare[0]
    assert {"", None} & {value for _, value in leaves(bare)} == set()


@pytest.mark.parametrize(
    ("at", "creation"),
    [
        (None, None),
        ("2026-11-21T18:04:00", "2026-11-21"),
        ("2026-11-21T18:04:00.25", "2026-11-21"),
        ("2026-11-21T18:04:00.25+01:00", "2026-11-21T18:04:00.25+01:00"),
        ("2026-11-21T18:04:00Z", "2026-11-21T18:04:00Z"),
        ("2026-02-30T18:04:00Z", None),
        ("2026-13-01T18:04:00", None),
        ("0000-01-01T00:00:00Z", None),
        ("2026-11-21T24:04:00Z", None),
        ("2026-11-21T18:04:00+15:00", None),
    ],
)
def test_when_a_photo_was_taken(at: str | None, creation: str | None) -> None:
    """A time of day needs an offset in FHIR: without one the day stands alone, and what is no time is left out."""
    assert documents(taken(at))[0]["content"][0]["attachment"].get("creation") == creation


def test_doing_it_twice_gives_the_same_file() -> None:
    """The ids come from bundle and photo: the file is the same each time, and another bundle has others."""
    assert write(make()) == write(make())
    (alone,) = documents(make(), 2)
    assert alone == documents(make())[1]
    bundles = [json.loads(write(make(), *numbers)) for numbers in ((), (2,))]
    assert bundles[0]["id"] != bundles[1]["id"]
    other = {document["id"] for document in documents(make(bundle="c" * 32))}
    assert not other & {document["id"] for document in documents(make())}
    for entry in bundles[0]["entry"]:
        assert UUID(entry["resource"]["id"]).version == 5
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        assert entry["request"]["method"] == "POST"
    assert bundles[0]["entry"][0]["request"]["ifNoneExist"] == f"identifier=urn:ietf:rfc:3986|{bundles[0]['entry'][0]['fullUrl']}"


def test_primitives_are_spelt_as_r4_says() -> None:
    """Ids, instants, dates, addresses, base64 and codes keep R4's spelling, and no text has control characters or loose ends."""
    request = make(label="\x00 Ada\r\n\tByron\x85 ", nhs_number="", practice=replace(make().practice, name="Elm\x1f\x7fStreet"))
    found = list(leaves(json.loads(write(request))))
    assert {name for name, _ in found} >= set(PRIMITIVES)
    for name, value in found:
        assert re.fullmatch(PRIMITIVES.get(name, r"[^\x00-\x1f\x7f-\x9f]+"), str(value)), (name, value)
        assert str(value) == str(value).strip(), (name, value)
    assert ("display", "Ada Byron") in found
    assert ("display", "Elm Street") in found


def test_the_page_writes_the_same_bytes(node: NodeRun) -> None:
    """Whatever was asked and said, browser and command line write the same file."""
    odd = "\x00 “Ada”\r\n\t\\Byron\x85 \u2028\u00a0\U0001f469\u200d⚕️</script>"
    requests = [
        make(),
        make(nhs_number="", label=odd, site=odd, side=odd, reference="123456789012", snomed=None),
        make(nhs_number="", label=" ", site="", side="", practice=replace(make().practice, name=odd)),
        *(taken(at) for at in (None, "2026-02-30T18:04:00Z", "2026-11-21T18:04:00+14:00", "9999-12-31T23:59:60.999999999")),
    ]
    requests.append(replace(make(), photos=tuple(replace(photo, title=odd) for photo in make().photos)))
    encoded = [base64.b64encode(jpeg).decode() for jpeg in JPEGS]
    texts = node("fhir.mjs", cases=[{"request": json.loads(to_json(request)), "photos": encoded} for request in requests])
    assert texts == [write(request).decode() for request in requests]


def test_the_example_of_the_document_is_what_is_written() -> None:
    """The example in docs/fhir.md is, member for member, what this code writes."""
    page = (ROOT / "docs" / "fhir.md").read_text("utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```", page, flags=re.M | re.S)
    jpeg = b"\xff\xd8\xff\xd9"
    photos = [replace(make_photo(1, "close-up", jpeg), title="Close-up")]
    practice = replace(make().practice, name="Example Surgery")
    request = make_request(photos, practice=practice, reference="123456789012", bundle="9f0c6a3e5d1b4c7e8a2f4b6d8e0c1a3f")
    assert json.loads(example) == json.loads(b"".join(write_fhir(request, request.photos, lambda _: jpeg)))

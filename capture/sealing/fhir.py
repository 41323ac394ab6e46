"""Opened photos as one FHIR R4 Bundle: for each a UK Core DocumentReference, and the Binary that it points to. Pure.

docs/fhir.md says what stands where, and why. static/js/open/fhir.js writes the same bytes in the page.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Any
from uuid import UUID, uuid5

from capture.sealing.contents import SealedPhoto, SealedRequest

PROFILE = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-DocumentReference"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
ODS_CODE = "https://fhir.nhs.uk/Id/ods-organization-code"
UBRN = "https://fhir.nhs.uk/Id/UBRN"
URI = "urn:ietf:rfc:3986"
SNOMED = "http://snomed.info/sct"
PHOTO = {"system": "http://loinc.org", "code": "72170-4"}
IMAGE = {"system": "http://terminology.hl7.org/CodeSystem/media-type", "code": "image", "display": "Image"}

_OURS = UUID("0c4fa5d3-8f6e-4c1b-9a52-2f4be1d7c6a8")
"""The namespace of the ids, so that the same photo of the same bundle always has the same ones (RFC 9562, version 5)."""
_TAKEN = re.compile(
    r"(?!0000)([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?"
    r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
)
"""A `dateTime` of FHIR with a time of day, but that its offset may be missing."""


def write_fhir(request: SealedRequest, photos: Sequence[SealedPhoto], read: Callable[[SealedPhoto], bytes]) -> Iterator[bytes]:
    """The file with these of the request's photos, piece by piece: JSON in UTF-8. `read` gives a photo's JPEG."""
    own = _uuid(request.bundle, *(photo.part for photo in photos))
    head = {"resourceType": "Bundle", "id": own, "identifier": _uri(own), "type": "transaction"}
    yield _json(head)[:-1] + b',"entry":['
    for index, photo in enumerate(photos):
        yield (b"," if index else b"") + _entries(request, photo, read(photo))
    yield b"]}\n"


def _entries(request: SealedRequest, photo: SealedPhoto, jpeg: bytes) -> bytes:
    """The two entries of one photo; nothing of it is held once they are written."""
    identifier = f"{URI}|urn:uuid:{_uuid(request.bundle, photo.part, 'DocumentReference')}"
    document = _entry(_document(request, photo, jpeg), {"ifNoneExist": f"identifier={identifier}"})
    binary = {
        "resourceType": "Binary",
        "id": _uuid(request.bundle, photo.part, "Binary"),
        "contentType": "image/jpeg",
        "data": base64.b64encode(jpeg).decode(),
    }
    return _json(document) + b"," + _json(_entry(binary, {}))


def _document(request: SealedRequest, photo: SealedPhoto, jpeg: bytes) -> dict[str, Any]:
    """The DocumentReference of one photo."""
    own = _uuid(request.bundle, photo.part, "DocumentReference")
    number, total = 1 + [each.part for each in request.photos].index(photo.part), len(request.photos)
    place = _words(f"{request.side} {request.site}")
    practice = _full(
        {
            "type": "Organization",
            "identifier": {"system": ODS_CODE, "value": request.practice.ods},
            "display": _words(request.practice.name),
        }
    )
    attachment = {
        "contentType": "image/jpeg",
        "url": f"urn:uuid:{_uuid(request.bundle, photo.part, 'Binary')}",
        "size": len(jpeg),
        "hash": base64.b64encode(hashlib.sha1(jpeg, usedforsecurity=False).digest()).decode(),  # R4 asks for SHA-1
        "title": request.file_name(photo),
        "creation": _creation(photo.taken_at or ""),
    }
    return _full(
        {
            "resourceType": "DocumentReference",
            "id": own,
            "meta": {"profile": [PROFILE]},
            "identifier": [_uri(own)],
            "status": "current",
            "type": {"coding": [PHOTO], "text": "Photo from a patient"},
            "category": [{"coding": [IMAGE]}],
            "subject": _subject(request),
            "date": request.submitted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "author": [practice],
            "custodian": practice,
            "description": _words(f"{photo.title}, {place}. Photo {number} of {total}."),
            "content": [{"attachment": _full(attachment)}],
            "context": _full({"event": _place(request.snomed, place), "related": _referral(request.reference)}),
        }
    )


def _subject(request: SealedRequest) -> dict[str, Any]:
    """The patient by NHS number; without one by the words that staff know them by, which say nothing to a program."""
    if request.nhs_number:
        return {"type": "Patient", "identifier": {"system": NHS_NUMBER, "value": request.nhs_number}}
    label = _words(request.label)
    return {"type": "Patient", "display": label} if label else {}


def _place(snomed: str | None, place: str) -> list[dict[str, Any]]:
    """The place on the body: DocumentReference has no element of its own for it."""
    coding = [{"system": SNOMED, "code": snomed}] if snomed else []
    concept = _full({"coding": coding, "text": place})
    return [concept] if concept else []


def _referral(reference: str) -> list[dict[str, Any]]:
    """The referral that the photos belong to, where the reference is a UBRN of the e-Referral Service."""
    if not re.fullmatch("[0-9]{12}", reference):
        return []
    return [{"type": "ServiceRequest", "identifier": {"system": UBRN, "value": reference}}]


def _creation(taken_at: str) -> str:
    """When the photo was taken: to the day where the camera told no offset, which FHIR wants beside a time of day."""
    if not (match := _TAKEN.fullmatch(taken_at)):
        return ""
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return ""
    return taken_at if match[5] else match[1]


def _entry(resource: dict[str, Any], condition: dict[str, str]) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"], **condition}
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource, "request": request}


def _uri(own: str) -> dict[str, str]:
    return {"system": URI, "value": f"urn:uuid:{own}"}


def _uuid(*names: str) -> str:
    return str(uuid5(_OURS, "/".join(names)))


def _full(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty, which FHIR does not allow."""
    return {name: value for name, value in members.items() if value}


def _words(text: str) -> str:
    """On one line, without control characters."""
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", text).strip(" ")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

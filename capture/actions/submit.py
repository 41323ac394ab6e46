"""The patient presses send: sealed request, signed manifest, spent link, deliveries, in one transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from capture.domain.again import SENTENCES
from capture.domain.protocols import View, describe_site, in_order
from capture.domain.requests import DONE, State, check_can_continue
from capture.errors import Conflict
from capture.sealing.bundle import seal_bundle
from capture.sealing.contents import Consent, Part, Removed, SealedPhoto, SealedRequest, photo_part_name
from capture.sealing.contents import Practice as PracticeName
from capture.services import Services
from capture.store import deliveries, photos, requests, sessions
from capture.store.models import Bundle, Photo, Practice, Request, new_id
from capture.store.recipients import current_keys
from capture.store.requests import Answers, Details


def submit(services: Services, request_id: str, note: str) -> str:
    """Send what has arrived, once; gives the receipt. Sending again gives the same receipt and changes nothing (SECURITY 10).

    Raises Conflict (no photo yet, or the request was closed), LinkExpired, Unavailable (no valid key).
    """
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        if State(request.state) in DONE:
            return request.receipt
        check_can_continue(State(request.state), now, request.expires_at)
        arrived = _in_order(services, db, request)
        if not arrived:
            raise Conflict("Take at least one photo before you send.")
        keys = current_keys(db, request.practice_id)
        parts = [
            Part(photo_part_name(number, view.id), photo.sealed_size, photo.sealed_sha256)
            for number, (view, photo) in enumerate(arrived, 1)
        ]
        facts = [photos.facts_of(db, photo) for _, photo in arrived]
        shown = tuple(_sealed_photo(part, view, fact) for part, (view, _), fact in zip(parts, arrived, facts, strict=True))
        bundle_id = new_id()
        sealed_request = _sealed_request(services, db, request, bundle_id, shown, note, now)
        sealed = seal_bundle(sealed_request, parts, keys, services.signing_key, now)
        bundle = Bundle(
            id=bundle_id,
            practice_id=request.practice_id,
            request_id=request.id,
            manifest=sealed.manifest_json,
            signature=sealed.signature,
            request_part=sealed.request_part,
            created_at=now,
        )
        db.add(bundle)
        db.flush()
        request.submitted_at, request.answers_sealed = now, None
        request.hand_over_hash = request.hand_over_until = None
        sessions.keep_receipts(db, request.id, now)
        number = requests.move(db, request, State.SUBMITTED, actor="patient", now=now, photos=len(arrived))
        deliveries.queue(db, bundle, services.inboxes_of(sealed.manifest.practice.ods), number, now)
        services.arriving.end_request(request_id)
        return request.receipt


def _in_order(services: Services, db: Session, request: Request) -> list[tuple[View, Photo]]:
    """The photos that have arrived, with their views: those asked for in the protocol's order, then the others."""
    by_view = {photo.view: photo for photo in photos.current_photos(db, request.id)}
    views = services.catalogue.views_of(requests.details_of(db, request).protocol, request.views)
    return [(view, by_view[view.id]) for view in in_order(views, by_view)]


def _sealed_photo(part: Part, view: View, facts: dict[str, Any]) -> SealedPhoto:
    return SealedPhoto(
        part=part.name,
        view=view.id,
        title=view.title,
        taken_at=facts["taken_at"],
        width=facts["width"],
        height=facts["height"],
        size=facts["size"],
        sha256=facts["sha256_after"],
        removed=tuple(Removed(**removed) for removed in facts["removed"]),
        lossless=facts["lossless"],
        colour=facts["colour"],
        quality=facts["quality"],
        hints=tuple(facts.get("hints", ())),
        sent_anyway=facts.get("sent_anyway", False),
    )


def _sealed_request(
    services: Services, db: Session, request: Request, bundle_id: str, shown: tuple[SealedPhoto, ...], note: str, now: datetime
) -> SealedRequest:
    practice, details = db.get_one(Practice, request.practice_id), requests.details_of(db, request)
    answers, site = requests.answers_of(db, request), services.catalogue.site(details.site)
    return SealedRequest(
        bundle=bundle_id,
        request=request.id,
        practice=PracticeName(practice.ods, practice.name),
        receipt=request.receipt,
        asked_by=details.asked_by,
        asked_at=request.issued_at,
        label=details.label,
        reference=details.reference,
        nhs_number=details.nhs_number,
        site=describe_site(site, ""),
        side=details.side,
        snomed=site.snomed or None,
        protocol=details.protocol,
        answers=_answers(services, request, details, answers, {photo.view for photo in shown}),
        note=note,
        consent=Consent(answers.version, datetime.fromisoformat(answers.agreed_at)),
        submitted_at=now,
        photos=shown,
    )


def _answers(services: Services, request: Request, details: Details, answers: Answers, arrived: set[str]) -> dict[str, str]:
    """What it follows, what was agreed to and by whom, who took the photos, and which could not be taken: all in words."""
    said = {"follows": details.follows, "asked again because": SENTENCES.get(details.again, "")}
    said |= {f"agreed {number}": text for number, text in enumerate(answers.statements, 1)}
    said |= {"who agreed": answers.who, "their relation to the patient": answers.relation}
    said |= {"who took the photos": answers.helper}
    said |= {"another phone": "handed over to another phone" if answers.handed_over else ""}
    for view in services.catalogue.views_of(details.protocol, request.views):
        if view.id in answers.skipped and view.id not in arrived:
            said[f"not taken: {view.title}"] = answers.skipped[view.id]
    return {question: answer for question, answer in said.items() if answer}

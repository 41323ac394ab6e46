"""Someone agrees to what will happen to the photos: the patient, a parent, or who acts for a patient who cannot decide."""

import secrets
from dataclasses import replace

from capture.domain.policies import check_can_agree
from capture.domain.requests import State, check_can_continue
from capture.errors import NotAllowed
from capture.services import Services
from capture.store import audit, requests

CONSENT_VERSION = "2026-11.2"
STATEMENTS = {
    "use": "The photos are for the GP, and for the hospital skin specialist whom the GP asks for advice.",
    "seen": "Male and female staff at the practice and the hospital may see them.",
    "kept": "They may be kept in the health record. Any other use, such as teaching, needs written agreement first.",
}
INTIMATE_STATEMENT = {
    "intimate": "They are photos of an intimate place. The patient is 18 or over. It is right to say no, and be seen instead.",
}
"""What is agreed to, by name; the texts are sealed with the answers, so that a later change of words loses nothing."""
WHO = {
    "me": "the patient",
    "parent": "a parent, or someone with parental responsibility",
    "proxy": "someone who acts for the patient, who cannot decide",
}
RELATIONS = {"parent": "parent", "carer": "carer", "attorney": "attorney or deputy", "other": ""}
"""What a proxy is to the patient; `other` is said in the proxy's own words."""
HELPERS = {"me": "the patient", "helper": "someone who helps the patient"}
RELATION_LIMIT = 60


def statements_for(services: Services, site: str) -> dict[str, str]:
    """What has to be agreed to before photos of that place are taken."""
    return {**STATEMENTS, **(INTIMATE_STATEMENT if services.catalogue.site(site).intimate else {})}


def agree(services: Services, request_id: str, helper: str, who: str = "me", relation: str = "") -> None:
    """Keep the agreement; `relation` is a proxy's, in words. Agreeing again replaces it, and keeps what was said besides.

    Raises NotAllowed (a child cannot agree alone; a proxy without a relation), Conflict or LinkExpired when it is closed.
    """
    now = services.clock()
    with services.database.write() as db:
        request = requests.lock_request(db, request_id)
        check_can_continue(State(request.state), now, request.expires_at)
        details, answers = requests.details_of(db, request), requests.answers_of(db, request)
        check_can_agree(details.age_group, who)
        if (who == "proxy") != bool(relation):
            raise NotAllowed("Say who you are to the patient.")
        agreed = replace(
            answers,
            agreed_at=now.isoformat(),
            version=CONSENT_VERSION,
            statements=tuple(statements_for(services, details.site).values()),
            helper=HELPERS[helper],
            who=WHO[who],
            relation=relation,
            keep_key=answers.keep_key or secrets.token_urlsafe(32),
        )
        requests.keep_answers(db, request, agreed)
        audit.append(db, request.practice_id, actor="patient", action="request agreed", subject=request.id, at=now)

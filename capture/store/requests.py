"""Requests: issuing, finding, counting guesses, moving from state to state. The vault seals what they say of a patient."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from capture.domain.links import GUESSES_IN_ALL, wait_after
from capture.domain.requests import ENDS, WAITING, State, check_can_move
from capture.errors import NotFound
from capture.store import audit, webhooks
from capture.store.journal import LOCKED, Ending
from capture.store.messages import drop_messages, note_over
from capture.store.models import AuditEvent, Request


@dataclass(frozen=True)
class Details:
    """What the practice asked for; sealed as long as the request lives.

    `age_group` is that of policies.age_group on the day of asking: the date of birth itself is kept only as a hash. `follows` is
    the receipt of the request that this one repeats, `message` what the practice tells the patient. `again` says why photos that
    were sent are asked for once more, a key of domain.again.REASONS. `call` is the hash of the call by which a system asked.
    """

    label: str
    reference: str
    site: str
    side: str
    protocol: str
    asked_by: str
    age_group: str = ""
    follows: str = ""
    message: str = ""
    nhs_number: str = ""
    again: str = ""
    call: str = ""


@dataclass(frozen=True)
class Answers:
    """What the patient said; sealed until it goes into the sealed request, then forgotten.

    `version` names the text agreed to, the first one where nothing says. `who` agreed, the `relation` of a proxy and `helper`,
    who takes the photos, are words; `skipped` says for a view why it cannot be taken. `keep_key` (32 random bytes in base64url)
    is what the phone keeps photos under that have not arrived yet.
    """

    agreed_at: str = ""
    version: str = "2026-11"
    statements: tuple[str, ...] = ()
    helper: str = ""
    keep_key: str = ""
    who: str = ""
    relation: str = ""
    skipped: Mapping[str, str] = field(default_factory=dict)
    handed_over: bool = False


def insert_request(db: Session, request: Request, details: Details) -> None:
    """Add a request with its details sealed to it."""
    request.details_sealed = seal_details(db, request.id, details)
    db.add(request)
    db.flush()


def seal_details(db: Session, request_id: str, details: Details) -> bytes:
    """What was asked, sealed to the request."""
    sealed: bytes = db.info["vault"].seal(asdict(details), f"requests.details/{request_id}")
    return sealed


def details_of(db: Session, request: Request) -> Details:
    """Open what was asked."""
    return open_details(db, request.id, request.details_sealed)


def open_details(db: Session, request_id: str, sealed: bytes) -> Details:
    """The same of a request that is not at hand as a whole."""
    return Details(**db.info["vault"].open(sealed, f"requests.details/{request_id}"))


def answers_of(db: Session, request: Request) -> Answers:
    """Open what the patient has said so far."""
    if request.answers_sealed is None:
        return Answers()
    values = db.info["vault"].open(request.answers_sealed, f"requests.answers/{request.id}")
    return Answers(**{**values, "statements": tuple(values["statements"])})


def keep_answers(db: Session, request: Request, answers: Answers) -> None:
    """Seal what the patient has said so far."""
    request.answers_sealed = db.info["vault"].seal(asdict(answers), f"requests.answers/{request.id}")


def find_by_token(db: Session, token_hash: str) -> Request | None:
    """The request whose link holds that token."""
    return db.scalars(select(Request).where(Request.token_hash == token_hash)).first()


def find_by_hand_over(db: Session, token_hash: str) -> Request | None:
    """The request that a link to another phone with that token belongs to."""
    return db.scalars(select(Request).where(Request.hand_over_hash == token_hash)).first()


def find_by_issue_key(db: Session, practice_id: str, key: str) -> Request | None:
    """The request that this form has issued already, if it has."""
    return db.scalars(select(Request).where(Request.practice_id == practice_id, Request.issue_key == key)).first()


def find_by_receipt(db: Session, practice_id: str, receipt: str) -> Request | None:
    """The practice's request with that receipt; another practice's is not there (SECURITY 28)."""
    return db.scalars(select(Request).where(Request.practice_id == practice_id, Request.receipt == receipt)).first()


def find_request(db: Session, practice_id: str, request_id: str) -> Request:
    """A request of that practice; another practice's is NotFound (SECURITY 28)."""
    request = db.get(Request, request_id)
    if request is None or request.practice_id != practice_id:
        raise NotFound
    return request


def list_case(db: Session, request: Request) -> list[Request]:
    """Every request of the practice about the same skin of the same patient, oldest first: the first one and its follow-ups."""
    of_case = or_(Request.id == request.case, Request.case_id == request.case)
    query = select(Request).where(Request.practice_id == request.practice_id, of_case)
    return list(db.scalars(query.order_by(Request.issued_at, Request.id)))


def lock_request(db: Session, request_id: str) -> Request:
    """The request's newest row, held until the transaction ends; NotFound if it is gone."""
    query = select(Request).where(Request.id == request_id).with_for_update().execution_options(populate_existing=True)
    request = db.scalars(query).first()
    if request is None:
        raise NotFound
    return request


def try_lock(db: Session, request_id: str) -> str | None:
    """Hold the request until the transaction ends; its state, None if it is not there."""
    return db.scalars(select(Request.state).where(Request.id == request_id).with_for_update()).first()


def list_requests(db: Session, practice_id: str, states: Iterable[State], limit: int | None = None) -> list[Request]:
    """A practice's requests in those states, the newest first."""
    query = select(Request).where(Request.practice_id == practice_id, Request.state.in_(list(states)))
    return list(db.scalars(query.order_by(Request.issued_at.desc(), Request.id).limit(limit)))


def list_expired(db: Session, before: datetime, limit: int) -> list[Request]:
    """Requests that still wait although their time was over before then, held until the transaction ends."""
    query = select(Request).where(Request.state.in_(WAITING), Request.expires_at < before).order_by(Request.expires_at)
    return list(db.scalars(query.limit(limit).with_for_update(skip_locked=True)))


def list_guessed_out(db: Session, now: datetime, limit: int) -> list[Request]:
    """Requests whose last guess was counted and never came to its end, since its process died; held until the transaction ends.

    After every end of a last guess `wait_until` is empty; while it is not over, the guess may still be looked at.
    """
    stopped = (Request.guesses >= GUESSES_IN_ALL, Request.wait_until < now)
    query = select(Request).where(Request.state.in_(WAITING), *stopped).order_by(Request.expires_at)
    return list(db.scalars(query.limit(limit).with_for_update(skip_locked=True)))


def move(db: Session, request: Request, to: State, *, actor: str, now: datetime, action: str = "", **facts: str | int) -> int:
    """Move a locked request to another state, write the audit event, tell webhooks; gives the event's number.

    Conflict when the table of moves forbids it.

    `action` is what the event says where the name of the state would not tell what happened.
    """
    check_can_move(State(request.state), to)
    request.state, request.changed_at = to, now
    if to is State.EXPIRED:
        note_over(db, request.id, now)
    elif to not in {State.SENT, State.OPENED}:
        drop_messages(db, request.id)
    event = audit.append(
        db, request.practice_id, actor=actor, action=action or f"request {to}", subject=request.id, at=now, **facts
    )
    if to in ENDS:
        note_ending(db, event, to)
    webhooks.queue_move(db, request, event.number, now)
    return event.number


def note_ending(db: Session, event: AuditEvent, act: str, of: str = "") -> None:
    """Have it noted outside the database, before this transaction commits, what the event says that ended: its subject, or `of`."""
    db.info["endings"].append(Ending(event.at.isoformat(), act, event.practice_id, event.number, of or event.subject))


def reserve_guess(db: Session, request_id: str, now: datetime) -> bool:
    """Count one guess before it is looked at, so that twenty at once count as twenty; False while the link waits."""
    request = lock_request(db, request_id)
    if request.guesses >= GUESSES_IN_ALL or (request.wait_until and now < request.wait_until):
        return False
    request.guesses += 1
    wait = wait_after(request.guesses)
    request.wait_until = now + wait if wait else None
    return True


def forgive_guess(request: Request) -> None:
    """Take back the count of a guess that was right."""
    request.guesses -= 1
    request.wait_until = None


def lock_link(db: Session, request: Request, now: datetime) -> None:
    """Close a link for good after the last guess, and tell staff; who has confirmed already may finish (SECURITY 5)."""
    request.wait_until = None
    if request.state == State.CONFIRMED:
        event = audit.append(db, request.practice_id, actor="patient", action="link locked", subject=request.id, at=now)
        note_ending(db, event, LOCKED)
    else:
        move(db, request, State.LOCKED, actor="patient", now=now)


def forget_hand_overs(db: Session, now: datetime) -> None:
    """Forget links to another phone whose time is over, so that a clock that is set back brings none to life."""
    over = update(Request).where(Request.hand_over_hash.is_not(None), Request.hand_over_until < now)
    db.execute(over.values(hand_over_hash=None, hand_over_until=None))


def count_refusal(db: Session, request_id: str, size: int) -> None:
    """Count a file of `size` bytes that was refused."""
    counts = {"refusals": Request.refusals + 1, "received_bytes": Request.received_bytes + size}
    db.execute(update(Request).where(Request.id == request_id).values(counts))

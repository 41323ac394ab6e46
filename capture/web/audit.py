"""The audit trail, for managers: searched, shown page by page, taken away as CSV."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Any

from flask import Blueprint, Response, g, render_template, request, stream_with_context
from sqlalchemy.orm import Session

from capture.domain.following import EVENTS
from capture.domain.hours import ZONE
from capture.domain.links import read_receipt
from capture.store import audit
from capture.store.audit import Wanted
from capture.store.models import AuditEvent
from capture.store.requests import find_by_receipt
from capture.web import services
from capture.web.forms import Errors, text_of

blueprint = Blueprint("audit", __name__, url_prefix="/audit")
Answer = str | tuple[str, int]
PAGE, BATCH = 50, 500
"""Events on a page, and events read at a time for a download."""
OTHERS = {"operator": "The operator", "patient": "The patient", "worker": "The service", "somebody": "Somebody"}
"""Those who act and are no members."""
WORDS = EVENTS | {"request drafted": "Request written", "bundle fetched": "Encrypted photos fetched, to be opened"}
"""Events in the words of a request's timeline; others are told by their names."""
COLUMNS = ("Number", "Time (UTC)", "Who", "What", "About", "Details", "Hash")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
FIELDS = ("action", "actor", "receipt", "since", "until")


@dataclass(frozen=True)
class Row:
    """An event in words. `request_id` is set if it is about a request, whose receipt is then `about`."""

    number: int
    at: datetime
    who: str
    what: str
    about: str
    details: str
    hash: str
    request_id: str = ""


@blueprint.get("")
def show_trail() -> Answer:
    """A page of the events that are wanted, the newest first; on the first one, whether the chain is whole."""
    errors: Errors = {}
    values = {name: text_of(request.args, name, 80) for name in FIELDS}
    before = text_of(request.args, "before", 12)
    number = int(before) if before.isascii() and before.isdigit() else None
    with services().database.read() as db:
        wanted = _read(db, values, errors)
        events = audit.search(db, g.practice.id, wanted, before=number, limit=PAGE + 1) if wanted else []
        broken = "" if number else audit.check_chain(db, g.practice.id)
        count, first, last = audit.span(db, g.practice.id)
        page = render_template(
            "staff/audit.jinja",
            errors=errors,
            values=values,
            rows=_rows(db, g.practice.id, events[:PAGE]),
            next=events[PAGE - 1].number if len(events) > PAGE else None,
            asked={name: value for name, value in values.items() if value},
            later=number is not None,
            actions=sorted(((one, _words(one)) for one in audit.list_actions(db, g.practice.id)), key=lambda pair: pair[1]),
            actors=_actors(db),
            chain={"broken": broken, "count": count, "first": first, "last": last},
        )
    return (page, 422) if errors else page


@blueprint.get("/audit.csv")
def download() -> Answer | Response:
    """All events that are wanted as CSV, the newest first; that it was taken is an event itself."""
    errors: Errors = {}
    database, practice_id = services().database, g.practice.id
    with database.write() as db:
        wanted = _read(db, {name: text_of(request.args, name, 80) for name in FIELDS}, errors)
        if wanted is None:
            return show_trail()
        now = services().clock()
        audit.append(db, practice_id, actor=g.member.id, action="audit downloaded", subject=practice_id, at=now)

    def lines() -> Iterator[str]:
        yield _line(COLUMNS)
        before = None
        while True:
            with database.read() as db:
                events = audit.search(db, practice_id, wanted, before=before, limit=BATCH)
                rows = _rows(db, practice_id, events)
            for row in rows:
                yield _line((row.number, f"{row.at:%Y-%m-%d %H:%M:%S}", row.who, row.what, row.about, row.details, row.hash))
            if len(events) < BATCH:
                return
            before = events[-1].number

    response = Response(stream_with_context(lines()), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{g.practice.ods}.csv"'
    return response


def _read(db: Session, values: dict[str, str], errors: Errors) -> Wanted | None:
    """What the search form asks for; None, and sentences in `errors`, if that cannot be told."""
    since, until = (_read_day(values[name], name, errors) for name in ("since", "until"))
    if since and until and until < since:
        errors["until"] = "The last day must not be before the first"
    subject = ""
    if values["receipt"]:
        found = find_by_receipt(db, g.practice.id, read_receipt(values["receipt"]))
        if found is None:
            errors["receipt"] = "Your practice has no request with this receipt"
        else:
            subject = found.id
    if errors:
        return None
    return Wanted(values["action"], values["actor"], subject, _start(since), _start(until and until + timedelta(days=1)))


def _read_day(text: str, name: str, errors: Errors) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = date.min
    if day and not date(2000, 1, 1) <= day < date(3000, 1, 1):
        errors[name] = "Enter a day, such as 2026-11-22"
        return None
    return day


def _start(day: date | None) -> datetime | None:
    """When the day begins where the practice is."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC) if day else None


def _rows(db: Session, practice_id: str, events: Iterable[AuditEvent]) -> list[Row]:
    events = list(events)
    names = audit.names_of(db, practice_id, {name for event in events for name in (event.actor, event.subject)})
    rows = []
    for event in events:
        facts: dict[str, Any] = json.loads(event.facts)
        if "view" in facts:
            facts = {"photo": services().catalogue.title_of(facts.pop("view")), **facts}
        details = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())
        about = names.get(event.subject, "")
        of_request = event.subject if read_receipt(about) == about and about else ""
        who = names.get(event.actor) or OTHERS.get(event.actor, event.actor)
        rows.append(Row(event.number, event.at, who, _words(event.action), about, details, event.hash, of_request))
    return rows


def _words(action: str) -> str:
    return WORDS.get(action) or action.capitalize()


def _actors(db: Session) -> list[tuple[str, str]]:
    """Who can be searched for: what stands for them, and their names, in order."""
    ids = audit.list_actors(db, g.practice.id)
    names = audit.names_of(db, g.practice.id, ids)
    return sorted(((one, names.get(one) or OTHERS.get(one, one)) for one in ids), key=lambda pair: pair[1].casefold())


def _line(cells: Iterable[object]) -> str:
    """A line of CSV in which no cell is a formula to a spreadsheet (SECURITY 30)."""
    out = StringIO()
    texts = [str(cell) for cell in cells]
    csv.writer(out).writerow([f"'{text}" if text.startswith(_FORMULA) else text for text in texts])
    return out.getvalue()

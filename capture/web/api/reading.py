"""What other systems send: read and checked against what openapi.json says of it; NotValid names what is not right."""

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from capture.errors import NotValid
from capture.store.pages import Place
from capture.web.forms import text_of

MOST = 100
_USUAL = 50
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Paging:
    """How much of a list is wanted, and from where."""

    limit: int
    after: Place | None


def body(known: Collection[str]) -> dict[str, Any]:
    """The JSON object of this call, with none but the known fields in it."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        values = json.loads(request.get_data(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadRequest from None
    if not isinstance(values, dict):
        raise NotValid("The body must be one JSON object.")
    _check_known(values, known, "field")
    return values


def text(values: Mapping[str, Any], name: str, limit: int, *, required: bool = False) -> str:
    """A text of at most `limit` characters, without control characters; empty where it is not given."""
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > limit:
        raise NotValid(f"{name} must be a text of at most {limit} characters.")
    value = text_of({name: value}, name, limit)
    if required and not value:
        raise NotValid(f"{name} must not be empty.")
    return value


def number(values: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    """A whole number."""
    value = values.get(name, default)
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if not whole or not low <= value <= high:
        raise NotValid(f"{name} must be a whole number from {low} to {high}.")
    return int(value)


def day(values: Mapping[str, Any], name: str) -> date:
    """A date, as in 1957-08-23."""
    value = values.get(name)
    try:
        if isinstance(value, str) and value.isascii() and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise NotValid(f"{name} must be a date, such as 1957-08-23.")


def check_query(known: Collection[str]) -> None:
    """Parameters that nobody knows, or that come twice, are mistakes, and would be found out late if they were passed over."""
    _check_known(request.args, known, "parameter")
    if twice := [name for name, values in request.args.lists() if len(values) > 1]:
        raise NotValid(f"{twice[0]} is there twice.")


def since() -> datetime | None:
    """The parameter `since`, a time with its zone."""
    value = request.args.get("since")
    if value is None:
        return None
    try:
        return _time(value)
    except (ValueError, OverflowError):
        raise NotValid("since must be a time with its zone, such as 2026-11-22T10:00:00Z.") from None


def chosen(name: str, choices: Collection[str], default: str) -> str:
    """A parameter that is one of these."""
    value = request.args.get(name, default)
    if value not in choices and value != default:
        raise NotValid(f"{name} must be one of {', '.join(choices)}.")
    return value


def paging() -> Paging:
    """The parameters `limit` and `cursor`."""
    limit, cursor = request.args.get("limit", str(_USUAL)), request.args.get("cursor")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MOST):
        raise NotValid(f"limit must be a whole number from 1 to {MOST}.")
    try:
        return Paging(int(limit), _place(cursor) if cursor is not None else None)
    except (ValueError, OverflowError):
        raise NotValid("cursor must be the `next` of an earlier answer.") from None


def cursor_of(place: Place) -> str:
    """What leads to the next page."""
    at, number = place
    return base64.urlsafe_b64encode(f"{at.astimezone(UTC).isoformat()} {number}".encode()).decode()


def _place(cursor: str) -> Place:
    at, number = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").split(" ")
    if not re.fullmatch("[0-9a-f]{32}", number):
        raise ValueError(cursor)
    return _time(at), number


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(UTC)


def _check_known(values: Collection[str], known: Collection[str], kind: str) -> None:
    if strange := sorted(set(values) - set(known)):
        raise NotValid(f"There is no {kind} {strange[0][:40]!a}. There are {', '.join(known)}.")


def _no_number(name: str) -> float:
    raise ValueError(name)

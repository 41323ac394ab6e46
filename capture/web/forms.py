"""What people type: read, checked, answered in sentences. A field's errors are shown under the id in `errors`."""

import re
from collections.abc import Mapping
from datetime import date

from flask_babel import gettext

from capture.actions.issue_link import Draft
from capture.domain.links import read_receipt
from capture.domain.protocols import Catalogue
from capture.errors import Conflict

DAYS = (1, 3, 7, 14)
NOTE_LIMIT = 1_000
_KEY = re.compile(r"[0-9a-f]{32}")
MISSING = {
    ("day", "month", "year"): "Enter the date of birth",
    ("day", "month"): "The date of birth must include a day and a month",
    ("day", "year"): "The date of birth must include a day and a year",
    ("month", "year"): "The date of birth must include a month and a year",
    ("day",): "The date of birth must include a day",
    ("month",): "The date of birth must include a month",
    ("year",): "The date of birth must include a year",
}
"""What is said of a date in which these are missing."""
Errors = dict[str, str]


def text_of(form: Mapping[str, str], name: str, limit: int = 200) -> str:
    """What was typed, without white space around it or control characters in it, cut at the limit."""
    kept = (sign if sign.isprintable() or sign == "\n" else " " for sign in form.get(name, "").replace("\r\n", "\n"))
    return "".join(kept).strip()[:limit]


def date_of_birth(form: Mapping[str, str], errors: Errors, today: date) -> date | None:
    """The three fields as a date, or None and a sentence under `dob`."""
    day, month, year = (text_of(form, name, 10) for name in ("day", "month", "year"))
    missing = tuple(name for name, text in (("day", day), ("month", month), ("year", year)) if not text)
    if missing:
        errors["dob"] = gettext(MISSING[missing])
    elif not (day.isascii() and month.isascii() and year.isascii() and (day + month + year).isdigit()):
        errors["dob"] = gettext("Enter the date of birth in numbers, for example 31 3 1980")
    elif len(year) != 4:
        errors["dob"] = gettext("The year must have 4 numbers, for example 1980")
    else:
        try:
            born = date(int(year), int(month), int(day))
        except ValueError:
            errors["dob"] = gettext("The date of birth must be a real date")
        else:
            if date(today.year - 125, 1, 1) <= born <= today:
                return born
            errors["dob"] = gettext("The date of birth must be in the past")
    return None


def request_draft(form: Mapping[str, str], catalogue: Catalogue, today: date) -> tuple[Draft | None, Errors]:
    """The form that asks for photos: a Draft, or a sentence for each field that is not right. Conflict if it is not ours."""
    errors: Errors = {}
    label, key = text_of(form, "label", 80), form.get("key", "")
    if not _KEY.fullmatch(key):  # without it, sending the form twice would issue two links
        raise Conflict("This page was open too long. Go back, reload it and try again.", code="form-too-old")
    if not label:
        errors["label"] = "Enter a name or label, so that you know whose photos these are"
    born = date_of_birth(form, errors, today)
    protocol, follows = text_of(form, "protocol"), ""
    site, side = text_of(form, "site"), text_of(form, "side")
    if protocol in catalogue.protocols and catalogue.protocols[protocol].follows:
        site = side = ""  # as the last time
        follows = read_receipt(text_of(form, "follows"))
        if not follows:
            errors["follows"] = "Enter the receipt of the last photos, for example KX7-P3Q"
    elif site not in catalogue.sites:
        errors["site"] = "Choose the place on the body"
    elif catalogue.sites[site].sides and side not in {"left", "right"}:
        errors["side"] = "Choose left or right"
    elif not catalogue.sites[site].sides:
        side = ""  # hidden once another place is chosen, and then still sent by a page without script
    if protocol not in catalogue.protocols:
        errors["protocol"] = "Choose which photos to ask for"
    days = text_of(form, "days", 3)
    if not (days.isascii() and days.isdigit() and int(days) in DAYS):
        errors["days"] = "Choose how long the link works"
    if errors or born is None:
        return None, errors
    return Draft(label, born, text_of(form, "reference", 60), site, side, protocol, int(days), key, follows), errors

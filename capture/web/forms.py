"""What people type: read, checked, answered in sentences. A field's errors are shown under the id in `errors`."""

from collections.abc import Mapping
from datetime import date

from flask_babel import gettext

NOTE_LIMIT = 1_000
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

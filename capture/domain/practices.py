"""What a practice chooses for itself, and what it may not choose. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import time

from capture.domain.hours import Hours, Period
from capture.errors import NotAllowed

MAX_NAME, MAX_PHONE, MAX_LOGO, MAX_EMAIL = 200, 40, 60, 254
"""In characters."""
MOST_WAIT_HOURS, MOST_REMIND_DAYS, MOST_KEEP_DAYS, _FEWEST_DIGITS = 200, 27, 365, 3
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True)
class Choices:
    """One field for each thing chosen. `protocols_off` and `languages` are names; no language stands for all.

    `wait_hours` counts hours in which the practice is open, until staff are told that photos wait; `remind_days` days, until a
    patient who did nothing is reminded (0: never); `keep_attached_days` and `keep_collected_days` days, until photos that are
    attached, and those that were only opened, are deleted; `notice_email` is told what waits for staff, the
    managers where it is empty; with `notice_arrived` it is told of new photos too.
    """

    name: str
    phone: str
    logo_text: str
    opening_hours: Hours
    preset: str
    protocols_off: tuple[str, ...]
    languages: tuple[str, ...]
    wait_hours: int
    remind_days: int
    keep_attached_days: int
    keep_collected_days: int
    notice_email: str
    notice_arrived: bool


def find_problems(
    choices: Choices, *, presets: Collection[str], protocols: Collection[str], languages: Collection[str]
) -> dict[str, str]:
    """For each field that cannot be so, by its name, a sentence that says why; the collections are what there is to choose from."""
    email = choices.notice_email
    rules = (
        ("name", _fits(choices.name, 1, MAX_NAME), f"Enter the name of the practice, in one line of at most {MAX_NAME} characters"),
        (
            "phone",
            _fits(choices.phone, 1, MAX_PHONE) and len(re.findall(r"\d", choices.phone)) >= _FEWEST_DIGITS,
            f"Enter a phone number that patients can call, of at most {MAX_PHONE} characters",
        ),
        ("logo_text", _fits(choices.logo_text, 0, MAX_LOGO), f"Enter one line of at most {MAX_LOGO} characters"),
        ("opening_hours", any(choices.opening_hours.days), "Enter the hours of at least one day"),
        ("preset", choices.preset in presets, "Choose where your referrals are made"),
        ("protocols", set(protocols) - set(choices.protocols_off), "Choose at least one list of photos"),
        ("languages", set(choices.languages) <= set(languages), "Choose the languages from the list"),
        ("wait_hours", 1 <= choices.wait_hours <= MOST_WAIT_HOURS, f"Enter a number of hours from 1 to {MOST_WAIT_HOURS}"),
        (
            "remind_days",
            0 <= choices.remind_days <= MOST_REMIND_DAYS,
            f"Enter a number of days from 0 to {MOST_REMIND_DAYS}. 0 means never",
        ),
        *(
            (name, 1 <= getattr(choices, name) <= MOST_KEEP_DAYS, f"Enter a number of days from 1 to {MOST_KEEP_DAYS}")
            for name in ("keep_attached_days", "keep_collected_days")
        ),
        (
            "notice_email",
            not email or (_EMAIL.fullmatch(email) and _fits(email, 1, MAX_EMAIL)),
            "Enter an email address, such as reception@surgery.nhs.uk, or nothing",
        ),
    )
    return {field: sentence for field, right, sentence in rules if not right}


def read_day(opens: str, closes: str) -> Period | None:
    """Two times as forms send them, `08:00`; both empty: closed. NotAllowed says what is wrong."""
    if not opens and not closes:
        return None
    try:
        period = _read_time(opens), _read_time(closes)
    except ValueError:
        raise NotAllowed("Enter both times in hours and minutes, such as 08:00 and 18:30, or neither if you are closed") from None
    if period[0] >= period[1]:
        raise NotAllowed("The closing time must be later than the opening time")
    return period


def _read_time(text: str) -> time:
    return time.fromisoformat(f"{text:0>5}").replace(second=0, microsecond=0, tzinfo=None)


def _fits(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and text.isprintable()

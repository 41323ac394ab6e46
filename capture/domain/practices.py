"""What a practice chooses for itself, and what it may not choose. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from capture.domain.hours import Hours

MAX_NAME, MAX_PHONE, MAX_LOGO, MAX_EMAIL = 200, 40, 60, 254
"""In characters."""
MOST_WAIT_HOURS, MOST_REMIND_DAYS = 200, 27
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True)
class Choices:
    """One field for each thing chosen. `protocols_off` and `languages` are names; no language stands for all.

    `wait_hours` counts hours in which the practice is open, until staff are told that photos wait; `remind_days` days, until a
    patient who did nothing is reminded (0: never); `notice_email` is told both, or nobody is where it is empty.
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
    notice_email: str


def find_problems(
    choices: Choices, *, presets: Collection[str], protocols: Collection[str], languages: Collection[str]
) -> dict[str, str]:
    """For each field that cannot be so, by its name, a sentence that says why; the collections are what there is to choose from."""
    problems = {}
    for field, limit, what in (
        ("name", MAX_NAME, "the name of the practice"),
        ("phone", MAX_PHONE, "a phone number that patients can call"),
    ):
        value = getattr(choices, field)
        if not value:
            problems[field] = f"Enter {what}"
        elif not _fits(value, limit):
            problems[field] = f"Enter {what} in one line of at most {limit} characters"
    if "phone" not in problems and not re.search(r"\d{3}", re.sub(r"\W", "", choices.phone)):
        problems["phone"] = "Enter a phone number that patients can call"
    if not _fits(choices.logo_text, MAX_LOGO):
        problems["logo_text"] = f"Enter one line of at most {MAX_LOGO} characters"
    if not any(choices.opening_hours.days):
        problems["opening_hours"] = "Enter the hours of at least one day"
    if choices.preset not in presets:
        problems["preset"] = "Choose where your referrals are made"
    if not set(protocols) - set(choices.protocols_off):
        problems["protocols"] = "Choose at least one list of photos"
    if not set(choices.languages) <= set(languages):
        problems["languages"] = "Choose the languages from the list"
    if not 1 <= choices.wait_hours <= MOST_WAIT_HOURS:
        problems["wait_hours"] = f"Enter a number of hours from 1 to {MOST_WAIT_HOURS}"
    if not 0 <= choices.remind_days <= MOST_REMIND_DAYS:
        problems["remind_days"] = f"Enter a number of days from 0 to {MOST_REMIND_DAYS}. 0 means never"
    if choices.notice_email and not (_EMAIL.fullmatch(choices.notice_email) and _fits(choices.notice_email, MAX_EMAIL)):
        problems["notice_email"] = "Enter an email address, such as reception@surgery.nhs.uk, or nothing"
    return problems


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and text.isprintable()

"""The fields that say which photos to ask for, shared by the form that asks and the templates."""

from collections.abc import Mapping
from typing import Any

from flask import g

from capture.domain.identifiers import read_email, read_mobile
from capture.domain.links import read_receipt
from capture.domain.protocols import Catalogue
from capture.errors import NotAllowed
from capture.store.models import Practice
from capture.web import services
from capture.web.forms import Errors, text_of

DAYS = (1, 3, 7, 14)
MESSAGE_LIMIT = 300


def choices(practice: Practice) -> dict[str, Any]:
    """What the fields offer in this practice, by the names that the templates use."""
    catalogue = services().catalogue
    return {
        "sites": [site for site in catalogue.sites.values() if practice.intimate_allowed or not site.intimate],
        "protocols": [one for one in catalogue.protocols.values() if one.name not in practice.protocols_off.split()],
        "expiry": DAYS,
        "message_limit": MESSAGE_LIMIT,
        **reach(),
    }


def reach() -> dict[str, Any]:
    """What the fields that say where the link goes offer, by the names that staff/reach.jinja uses."""
    return {"channels": set(services().messengers), "remind_days": g.practice.remind_days}


def message_of(form: Mapping[str, str], errors: Errors) -> str:
    """What the patient is told."""
    message = text_of(form, "message", MESSAGE_LIMIT + 1)
    if len(message) > MESSAGE_LIMIT:
        errors["message"] = f"The message can have {MESSAGE_LIMIT} characters at most"
    return message


def days_of(form: Mapping[str, str], errors: Errors) -> int:
    """How long the link works; 0 where that is a mistake."""
    days = text_of(form, "days", 3)
    if days.isascii() and days.isdigit() and int(days) in DAYS:
        return int(days)
    errors["days"] = "Choose how long the link works"
    return 0


def reach_of(form: Mapping[str, str], errors: Errors) -> tuple[str, str]:
    """The mobile number, in its international form, and the e-mail address that the link goes to; empty where nothing sends."""
    settings, found = services().settings, {"phone": "", "email": ""}
    fiction = settings.demo or settings.test_messages
    for name, channel in (("phone", "sms"), ("email", "email")):
        typed = text_of(form, name, 254) if channel in services().messengers else ""
        try:
            found[name] = read_mobile(typed, fiction=fiction) if name == "phone" else read_email(typed)
        except NotAllowed as error:
            errors[name] = error.sentence
    return found["phone"], found["email"]


def photos_of(form: Mapping[str, str], catalogue: Catalogue, errors: Errors) -> tuple[str, str, str, str]:
    """Protocol, site, side, and the receipt that is followed."""
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
    return protocol, site, side, follows

"""What is sent to patients and staff, and the words for what became of it. Pure."""

import textwrap
import unicodedata
from string import ascii_letters, digits

LONGEST_TEXT = 160
"""Characters of GSM 03.38 in one text message; a second one costs as much again."""
_GSM = frozenset(f"{ascii_letters}{digits} !\"#%&'()*+,-./:;<=>?@$_£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà")
"""The basic character set. Those of its extension count twice and are left out."""
_PLAIN = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}
NOTICES = {
    "waiting": "Photos from a patient have been waiting for some time. Nobody has opened them yet.",
    "locked": "A link was closed because someone gave too many wrong dates of birth.",
    "keys": "The keys of your practice are being changed. If you do not expect this, speak to your manager today.",
    "damaged": "A photo that a patient sent was damaged in storage. The others can be opened.",
    "arrived": "Photos from a patient have arrived. There may be more than these.",
    "late": "Photos from a patient could not be brought to one of your practice's inboxes yet. They are tried again by themselves.",
    "given-up": "Photos from a patient could not be delivered, and are no longer tried. A manager can send them again.",
    "drill": "It is time to try the recovery sheet of your practice's key.",
}
"""What staff can be told by e-mail: never who, never what."""
NOTICE_SUBJECT = "Photos: please look into your practice's inbox"
_NOTICE_WIDTH, _NOTICE_LINES = 72, 9
REFUSED = ("number-refused", "permanent-failure")
"""Errors that mean that the number or address is not right."""
UNREACHED = "temporary-failure"
OVER = "link-over"
"""The error of a message that was not sent before its link ended."""


def text_message(practice: str, link: str) -> str:
    """The message that brings a link: it names the practice and the whole address, never the patient; at most 160 characters.

    A name that would make it longer is cut, to no less than ten characters: an origin of over 70 makes more than one text.
    """
    return _named(practice, f" asks you for photos of your skin. Take them here: {link}")


def reminder(practice: str, link: str) -> str:
    """The one text that comes again when the link was not used, by the rules of `text_message`."""
    return _named(practice, f" still waits for photos of your skin. Take them here: {link}")


def email_subject(practice: str, *, again: bool = False) -> str:
    """The subject of the e-mail with the link; of the reminder with `again`."""
    return f"{' '.join(practice.split())}{' still waits for' if again else ' asks you for'} photos"


def email_text(practice: str, phone: str, link: str, until: str, *, again: bool = False) -> str:
    """The e-mail that brings a link, or its reminder: in plain words, with nothing about the patient. `until` is a day."""
    begin = "This is a reminder. " if again else ""
    return f"""Hello,

{begin}{practice} asks you for photos of your skin.
A doctor will look at them.

Take and send them here, on a phone or tablet:
{link}

The link works until {until}. You need your date of birth.
Please do not pass this e-mail on.

Questions? Phone {practice}: {phone}.
Nobody reads answers to this e-mail.
"""


def invitation_text(practice: str, link: str, days: int) -> str:
    """The e-mail that brings a new member's link."""
    return f"""Hello,

{practice} invites you to its page for patients' photos. Set up your sign-in here:
{link}

The link works once, for {days} days. If you do not expect it, delete this e-mail.
"""


def notice(kind: str, address: str, receipt: str = "") -> str:
    """What staff read by e-mail; `address` is that of their inbox page. Each kind has as many bytes: the length tells nothing."""
    news = f"{NOTICES[kind]} The newest receipt is {receipt}." if receipt else NOTICES[kind]
    said = f"{news}\n\nSign in to see more:\n{address}\n\nFor their safety this e-mail says nothing about patients."
    lines = [part for line in said.splitlines() for part in textwrap.wrap(line, _NOTICE_WIDTH, break_long_words=False) or [""]]
    lines += [""] * (_NOTICE_LINES - len(lines))
    return "".join(f"{line:<{_NOTICE_WIDTH}}\n" for line in lines)


def describe(kind: str, channel: str, state: str, error: str = "") -> str:
    """What became of a message, in words such as "Text delivered to the phone"."""
    what = "Text" if channel == "sms" else "E-mail"
    if kind == "reminder":
        what = "Reminder by text" if channel == "sms" else "Reminder by e-mail"
    if state == "queued" and error:
        return f"{what} waits: sending is tried again by itself"
    if state == "queued":
        return f"{what} {'planned' if kind == 'reminder' else 'queued'}"
    if state == "failed" and error in REFUSED:
        return f"{what} failed: check the {'number' if channel == 'sms' else 'address'}"
    if state == "failed" and error == OVER:
        return f"{what} not sent: the link ended first"
    if state == "failed":
        return f"{what} failed: {'the phone could not be reached' if error == UNREACHED else 'give the link another way'}"
    return f"{what} delivered to the phone" if state == "delivered" else f"{what} sent"


def _named(practice: str, after: str) -> str:
    room = LONGEST_TEXT - len(after)
    name = _to_gsm(practice)
    if len(name) > room:
        name = name[: max(room - 3, 10)].rstrip() + "..."
    return f"{name}{after}"


def _to_gsm(text: str) -> str:
    """The text in the basic character set: accents that it lacks are dropped, what is left unknown becomes a question mark."""
    plain = "".join(_PLAIN.get(sign, sign) for sign in " ".join(text.split()))
    return "".join(sign if sign in _GSM else _without_accent(sign) for sign in plain)


def _without_accent(sign: str) -> str:
    base = unicodedata.normalize("NFKD", sign)[0]
    return base if base in _GSM else "?"

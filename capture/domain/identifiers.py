"""Numbers that practices go by: read as people type them, kept in one form. Pure."""

import re

import phonenumbers
from nhs_number.validate import is_valid

from capture.errors import NotAllowed

UBRN_DIGITS = 12
"""A unique booking reference number of the NHS e-Referral Service, shown there in three groups of four."""
_DIGITS = re.compile(r"[0-9][0-9 -]*")
_NEARLY_UBRN = range(11, 15)
_FICTION = re.compile(r"\+447700900[0-9]{3}")
"""What Ofcom keeps for drama."""
_MOBILE = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
"""As browsers check `type=email`, with a dot in the domain."""


def read_reference(typed: str) -> str:
    """A reference: a UBRN as its 12 digits, anything else as it stands; NotAllowed for what was meant as a UBRN and is none."""
    digits = re.sub(r"[ -]", "", typed)
    if not _DIGITS.fullmatch(typed):
        return typed
    if len(digits) == UBRN_DIGITS:
        return digits
    if len(digits) in _NEARLY_UBRN or digits.startswith("0000"):
        raise NotAllowed(f"A UBRN of the e-Referral Service has 12 digits. This one has {len(digits)}.")
    return typed


def read_nhs_number(typed: str) -> str:
    """An NHS number as its ten digits, or empty; NotAllowed when the check digit is wrong or all digits are the same."""
    digits = re.sub(r"[ -]", "", typed)
    if not digits:
        return ""
    if not re.fullmatch(r"[0-9]{10}", digits):
        raise NotAllowed("An NHS number has 10 digits, for example 943 476 5919.")
    if len(set(digits)) == 1 or not is_valid(digits):
        raise NotAllowed("This is not an NHS number. Check each digit.")
    return digits


def show_nhs_number(digits: str) -> str:
    """Ten digits as the NHS writes them, such as 943 476 5919."""
    return f"{digits[:3]} {digits[3:6]} {digits[6:]}".strip()


def read_mobile(typed: str, *, fiction: bool = False) -> str:
    """A mobile number in its international form, such as +447911123456, or empty; NotAllowed for any other number.

    Numbers without a country are British. `fiction` takes 07700 900000 to 900999 too, which belong to nobody.
    """
    if not typed:
        return ""
    try:
        number = phonenumbers.parse(typed, "GB")
    except phonenumbers.NumberParseException:
        raise NotAllowed("Enter a mobile phone number, for example 07911 123456") from None
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if fiction and _FICTION.fullmatch(international):
        return international
    if number.extension or not phonenumbers.is_valid_number(number):
        raise NotAllowed("This is not a phone number. Check each digit.")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise NotAllowed("Texts reach mobile phones only. Enter a mobile phone number.")
    return international


def read_email(typed: str) -> str:
    """An e-mail address as it was typed, or empty; NotAllowed when it is none."""
    if typed and not _EMAIL.fullmatch(typed):
        raise NotAllowed("Enter an e-mail address, for example name@example.com")
    return typed

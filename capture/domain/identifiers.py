"""Numbers that practices go by: read as people type them, kept in one form. Pure."""

import re

from nhs_number.validate import is_valid

from capture.errors import NotAllowed

UBRN_DIGITS = 12
"""A unique booking reference number of the NHS e-Referral Service, shown there in three groups of four."""
_DIGITS = re.compile(r"[0-9][0-9 -]*")
_NEARLY_UBRN = range(11, 15)


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

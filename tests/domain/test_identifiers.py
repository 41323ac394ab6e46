"""Phone numbers and e-mail addresses: what is taken, in which form, and what is refused with which sentence."""

import pytest

from capture.domain.identifiers import read_email, read_mobile
from capture.errors import NotAllowed


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("07911 123456", "+447911123456"),
        ("+44 (0)7911-123456", "+447911123456"),
        ("0044 7911 123456", "+447911123456"),
        ("+353 85 012 3456", "+353850123456"),
        ("+1 202 555 0123", "+12025550123"),
        ("", ""),
    ],
)
def test_mobile_numbers(typed: str, kept: str) -> None:
    """However it is written, a mobile number is kept in its international form; without a country it is British."""
    assert read_mobile(typed) == kept


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("no phone", "Enter a mobile phone number"),
        ("12", "Check each digit"),
        ("07911 12345", "Check each digit"),
        ("07911 123456 ext 3", "Check each digit"),
        ("020 7946 0018", "mobile phones only"),
        ("0191 498 0123", "mobile phones only"),
        ("07700 900123", "Check each digit"),
        ("٠٧٧٠٠ ٩٠٠١٢٣", "Check each digit"),
    ],
)
def test_numbers_that_are_refused(typed: str, sentence: str) -> None:
    """What is no number, no mobile, or belongs to nobody gets a sentence that says what to do."""
    with pytest.raises(NotAllowed, match=sentence):
        read_mobile(typed)


def test_numbers_of_fiction() -> None:
    """07700 900000 to 900999 are taken where the settings say test, and no other number that is not valid."""
    assert read_mobile("07700 900123", fiction=True) == "+447700900123"
    for typed in ("07700 901000", "07700 90012"):
        with pytest.raises(NotAllowed):
            read_mobile(typed, fiction=True)


@pytest.mark.parametrize("typed", ["ada@example.org", "a.b+c'd@mail.example.co.uk", ""])
def test_email_addresses(typed: str) -> None:
    """An address is kept as it was typed."""
    assert read_email(typed) == typed


@pytest.mark.parametrize(
    "typed", ["ada", "ada@localhost", "@example.org", "a b@example.org", "a@b.c\nBcc: x@y.z", "a@b.c,d@e.f", "<a@b.c>", "ä@b.de"]
)
def test_addresses_that_are_refused(typed: str) -> None:
    """What is no address, or more than one, is refused: it would become a header."""
    with pytest.raises(NotAllowed, match=r"name@example\.com"):
        read_email(typed)

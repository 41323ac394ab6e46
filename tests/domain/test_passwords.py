"""Which passwords are taken: length and guessing decide, not the kinds of signs."""

import pytest

from capture.domain.passwords import check_password
from capture.errors import NotAllowed

ABOUT = ("Robin Reception", "robin.reception@elm.example", "Elm Surgery")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "xvz9 plm3 qqt7",
        "739104628157",
        "ein Pferd frisst Salat",
        "абракадабра слон",
        "p" * 3 + "lumber-otter-vex" * 12,
    ],
)
def test_good_passwords(password: str) -> None:
    """SECURITY 24: anything long that others would not try is taken, in any script, with or without capitals, digits and signs."""
    check_password(password, ABOUT)


@pytest.mark.parametrize("password", ["", "elevensigns", "x" * 201])
def test_length(password: str) -> None:
    """SECURITY 24: at least 12 characters and at most 200, with the number in the sentence."""
    with pytest.raises(NotAllowed, match=r"at (least 12|most 200) characters"):
        check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd!2026",
        "Welcome12345!",
        "qwertyuiop12",
        "1qaz2wsx3edc",
        "123456789012",
        "abcdefghijkl",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "xk7xk7xk7xk7xk7",
        "ElmSurgery2026",
        "robinreception",
        "Reception2026!!",
        "liverpool1892!",
        "correcthorsebatterystaple",
        "zyxwvutsrqpo",
    ],
)
def test_common_passwords(password: str) -> None:
    """SECURITY 24: what others try first is refused with advice: common words, names, the practice, runs of keys, repeats."""
    with pytest.raises(NotAllowed, match="easy to guess"):
        check_password(password, ABOUT)

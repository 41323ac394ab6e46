"""Tokens of other systems: their form, what they carry, and what of them is stored."""

import math
import re
import zlib

import pytest

from capture.domain.tokens import ALPHABET, SIGNS, check_token_draft, is_token, new_token, token_hash
from capture.errors import NotAllowed


def test_a_token_carries_256_random_bits() -> None:
    """SECURITY 3: 43 signs of 62 are more than 256 bits, none comes twice, and every sign is used somewhere."""
    assert math.log2(len(ALPHABET)) * SIGNS > 256
    tokens = {new_token() for _ in range(300)}
    assert len(tokens) == 300
    assert set("".join(token[8 : 8 + SIGNS] for token in tokens)) == set(ALPHABET)


def test_a_scanner_knows_one_by_its_form() -> None:
    """SECURITY 3: the form alone finds a token in a text, and the check signs are the CRC-32 of the random ones, in base 62."""
    token = new_token()
    assert re.findall(r"capture_[0-9A-Za-z]{49}", f'export TOKEN="{token}"; curl') == [token]
    number = 0
    for sign in token[-6:]:
        number = number * 62 + ALPHABET.index(sign)
    assert number == zlib.crc32(token[8:-6].encode())


@pytest.mark.parametrize("change", ["cut", "longer", "one sign", "prefix", "empty", "not ascii"])
def test_what_is_no_token(change: str) -> None:
    """SECURITY 3: a token that was cut, mistyped or is something else is told by itself."""
    token = new_token()
    other = "A" if token[20] != "A" else "B"
    changed = {
        "cut": token[:-1],
        "longer": token + "0",
        "one sign": token[:20] + other + token[21:],
        "prefix": token.replace("capture_", "Capture_"),
        "empty": "",
        "not ascii": token[:-1] + "é",
    }[change]
    assert is_token(token)
    assert not is_token(changed)


def test_only_a_hash_is_stored() -> None:
    """SECURITY 3: what is stored is SHA-256, the same each time, of whatever bytes someone sends."""
    assert re.fullmatch("[0-9a-f]{64}", token_hash(new_token()))
    assert token_hash("capture_x") == token_hash("capture_x") != token_hash("capture_y")
    assert token_hash("\ud800")


@pytest.mark.parametrize(
    ("name", "scopes", "days", "field"),
    [
        ("", ["requests:read"], 30, "token-name"),
        ("x" * 61, ["requests:read"], 30, "token-name"),
        ("EMIS", [], 30, "token-scopes"),
        ("EMIS", ["requests:read", "everything"], 30, "token-scopes"),
        ("EMIS", ["requests:read"], 0, "token-days"),
        ("EMIS", ["requests:read"], 731, "token-days"),
    ],
)
def test_a_draft_that_is_not_right(name: str, scopes: list[str], days: int, field: str) -> None:
    """A token without a name, with a scope that there is not, or without an end is not made, and the field is named."""
    with pytest.raises(NotAllowed) as caught:
        check_token_draft(name, scopes, days)
    assert caught.value.code == field
    check_token_draft("EMIS", ["requests:read"], 730)

"""Links, receipts and guesses."""

import hashlib
import math
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from capture.domain.links import (
    FREE_GUESSES,
    GUESSES_IN_ALL,
    RECEIPT_ALPHABET,
    TOKEN_ALPHABET,
    TOKEN_LENGTH,
    new_receipt,
    new_token,
    read_receipt,
    token_hash,
    wait_after,
)

SIMILAR = set("0O1lI")


def test_a_token_carries_at_least_128_random_bits() -> None:
    """The alphabet and the length of a token give at least 128 bits, and tokens use all of both (SECURITY 3)."""
    assert len(set(TOKEN_ALPHABET)) == len(TOKEN_ALPHABET)
    assert TOKEN_LENGTH * math.log2(len(TOKEN_ALPHABET)) >= 128
    tokens = {new_token() for _ in range(2_000)}
    assert len(tokens) == 2_000
    assert {len(token) for token in tokens} == {TOKEN_LENGTH}
    for place in range(TOKEN_LENGTH):  # each sign of the alphabet, at each place: a missing one has a chance of 57 * e**-35
        assert {token[place] for token in tokens} == set(TOKEN_ALPHABET)


def test_a_token_can_be_read_aloud() -> None:
    """No sign of a token is mistaken for another, and none needs to be escaped in an address."""
    assert not set(TOKEN_ALPHABET) & SIMILAR
    assert TOKEN_ALPHABET.isalnum()
    assert TOKEN_ALPHABET.isascii()


@given(st.text(alphabet=st.characters(), max_size=100))
def test_any_text_has_a_hash(text: str) -> None:
    """What is stored is SHA-256 of the token, and no text from an address, however strange, makes that fail (SECURITY 3)."""
    assert token_hash(text) == hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def test_a_receipt_is_short_and_spells_nothing() -> None:
    """A receipt is two groups of three signs, with no vowel and no sign that is mistaken for another."""
    receipts = [new_receipt() for _ in range(500)]
    for receipt in receipts:
        first, _, second = receipt.partition("-")
        assert (len(first), len(second)) == (3, 3)
        assert set(first + second) <= set(RECEIPT_ALPHABET)
    assert not set(RECEIPT_ALPHABET) & (set("AEIOU") | set("01") | set("LS"))
    assert len(set(receipts)) > 495


def test_waits_grow_after_five_wrong_dates() -> None:
    """Four wrong dates cost nothing; from the fifth on the link waits 1, 5, then 15 minutes each time (SECURITY 5)."""
    waits = [wait_after(wrong) for wrong in range(GUESSES_IN_ALL + 1)]
    assert waits[:FREE_GUESSES] == [timedelta(0)] * FREE_GUESSES
    assert waits[FREE_GUESSES : FREE_GUESSES + 3] == [timedelta(minutes=minutes) for minutes in (1, 5, 15)]
    assert set(waits[FREE_GUESSES + 3 :]) == {timedelta(minutes=15)}
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert (FREE_GUESSES, GUESSES_IN_ALL) == (5, 20)


@given(st.sampled_from([new_receipt() for _ in range(20)]), st.sampled_from(["{0}", " {0}", "{1}", "{2}", "{3}"]))
def test_a_receipt_as_people_type_it(receipt: str, typed: str) -> None:
    """A receipt is known again in small letters, with spaces, or without its hyphen."""
    assert read_receipt(typed.format(receipt, receipt.lower(), receipt.replace("-", ""), receipt.replace("-", " "))) == receipt


@given(st.text(max_size=12))
def test_any_text_is_a_receipt_or_none(text: str) -> None:
    """Whatever is typed gives a well-formed receipt or nothing."""
    found = read_receipt(text)
    assert found == "" or (len(found) == 7 and set(found) <= {*RECEIPT_ALPHABET, "-"} and read_receipt(found) == found)

"""Fingerprints in words, and as a picture."""

from hypothesis import given
from hypothesis import strategies as st

from capture.domain.fingerprints import words_of
from capture.web.key_picture import picture_of

GROUPS = st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8)


def spelled(groups: list[int]) -> str:
    return "-".join(f"{group:04x}" for group in groups)


def test_words_are_those_of_the_publication() -> None:
    """The words are the proquints that their publication gives as examples, so that other tools say the same."""
    assert words_of("7f00-0001") == "lusab babad"
    assert words_of("3f54-dcc1") == "gutih tugad"
    assert words_of("0000-ffff") == "babab zuzuz"


@given(GROUPS, GROUPS)
def test_other_keys_have_other_words_and_pictures(first: list[int], second: list[int]) -> None:
    """SECURITY 35: two fingerprints that differ have other words, one word for each group; the same one the same picture."""
    assert (words_of(spelled(first)) == words_of(spelled(second))) == (first == second)
    assert len(words_of(spelled(first)).split()) == 8
    assert picture_of(spelled(first)) == picture_of(spelled(first))


def test_a_picture_is_a_mirror_image() -> None:
    """A picture is an SVG of our own squares, its halves alike; nothing of the text is in it; the next key's differs."""
    drawn = picture_of("dc28-37f7-ac39-707c-f417-d351-e654-6b2b")
    places = {tuple(map(int, square.split("h")[0].split())) for square in drawn.split('d="M')[2:]}
    assert len(places) > 8
    assert {(7 - column, row) for column, row in places} == places
    assert "dc28" not in drawn
    assert drawn != picture_of("dc28-37f7-ac39-707c-f417-d351-e654-6b2c")

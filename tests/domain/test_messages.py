"""The text message that brings a link: one message, the practice's name, the whole address."""

import pytest

from capture.domain.messages import LONGEST_TEXT, text_message

LINK = "https://photos.example.nhs.uk/r/aJ7jBXdjk75athsKXahPViK"


@pytest.mark.parametrize(
    ("practice", "shown"),
    [
        ("Elm Surgery", "Elm Surgery asks"),
        ("St Mary’s – North", "St Mary's - North asks"),
        ("Meddygfa Tŷ Gŵyr", "Meddygfa Ty Gwyr asks"),
        ("Praxis Müller {East}", "Praxis Müller ?East? asks"),
        ("Two\nLines", "Two Lines asks"),
        ("診療所", "??? asks"),
    ],
)
def test_name_in_the_letters_of_one_text(practice: str, shown: str) -> None:
    """The name is written in the alphabet of which 160 letters make one text; what that lacks is written without its accent."""
    text = text_message(practice, LINK)
    assert text.startswith(shown)
    assert text.endswith(f" {LINK}")
    assert not set(text) & set("{}[]~^|\\€’–ŷŵ\n")


@pytest.mark.parametrize("length", [1, 20, 52, 53, 54, 55, 56, 57, 80, 200])
def test_one_text_however_long_the_name(length: int) -> None:
    """With any name the message is one text with the whole address; a name that is too long is cut where it can be seen."""
    text = text_message("M" * length, LINK)
    assert len(text) <= LONGEST_TEXT
    assert text.endswith(f" {LINK}")
    assert ("..." in text) == (not text.startswith("M" * length + " asks"))
    assert "..." not in text or len(text) == LONGEST_TEXT


def test_a_very_long_address_is_whole() -> None:
    """Where the address alone fills a text, it stays whole and the practice is still named."""
    link = f"https://{'a' * 60}.{'b' * 60}.example/r/aJ7jBXdjk75athsKXahPViK"
    text = text_message("Elm Surgery of the North", link)
    assert text.endswith(link)
    assert text.startswith("Elm Surger... asks")

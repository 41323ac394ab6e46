"""The text message that brings a link: one message, the practice's name, the whole address."""

import pytest

from capture.domain.messages import LONGEST_TEXT, NOTICES, describe, email_subject, email_text, notice, reminder, text_message

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


@pytest.mark.parametrize("length", [1, 50, 80, 200])
def test_the_reminder_is_one_text(length: int) -> None:
    """The reminder keeps the same rule: one text, the practice's name, the whole address."""
    text = reminder("M" * length, LINK)
    assert len(text) <= LONGEST_TEXT
    assert text.endswith(f" {LINK}")


def test_notices_have_one_length() -> None:
    """Whatever staff are told by e-mail has as many bytes, so that its length tells nobody what it is."""
    texts = {kind: notice(kind, "https://photos.example.nhs.uk/staff/") for kind in NOTICES}
    assert len({len(text.encode()) for text in texts.values()}) == 1
    assert len({text.count("\n") for text in texts.values()}) == 1
    for kind, text in texts.items():
        assert " ".join(NOTICES[kind].split()) in " ".join(text.split())
        assert max(map(len, text.splitlines())) < 78, "longer lines are encoded, and their length varies"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (("link", "sms", "queued"), "Text queued"),
        (("link", "sms", "queued", "notify-away"), "Text waits: sending is tried again by itself"),
        (("link", "sms", "sent"), "Text sent"),
        (("link", "sms", "delivered"), "Text delivered to the phone"),
        (("link", "sms", "failed", "number-refused"), "Text failed: check the number"),
        (("link", "sms", "failed", "permanent-failure"), "Text failed: check the number"),
        (("link", "sms", "failed", "temporary-failure"), "Text failed: the phone could not be reached"),
        (("link", "email", "failed", "number-refused"), "E-mail failed: check the address"),
        (("link", "email", "failed", "mail-away"), "E-mail failed: give the link another way"),
        (("link", "email", "failed", "link-over"), "E-mail not sent: the link ended first"),
        (("reminder", "sms", "queued"), "Reminder by text planned"),
        (("reminder", "email", "sent"), "Reminder by e-mail sent"),
    ],
)
def test_words_for_what_became_of_it(what: tuple[str, ...], words: str) -> None:
    """Staff read in plain words what became of each message, and what to do."""
    assert describe(*what) == words


def test_emails_name_the_practice() -> None:
    """The e-mail has the link alone on its line, the practice, its phone and the last day; a reminder says that it is one."""
    text = email_text("Elm Surgery", "0191 498 0456", LINK, "29 November 2026", again=True)
    assert LINK in text.splitlines()
    for told in ("This is a reminder.", "Elm Surgery: 0191 498 0456", "29 November 2026"):
        assert told in text
    assert "reminder" not in email_text("Elm Surgery", "0191 498 0456", LINK, "29 November 2026")
    assert email_subject("Elm\nSurgery", again=True) == "Elm Surgery still waits for photos"

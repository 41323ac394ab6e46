"""Texts through the stand-in for GOV.UK Notify: what arrives, once, and what is made of each refusal."""

import logging
from pathlib import Path

import pytest

from capture.errors import CaptureError, Unavailable, Undeliverable
from capture.notify.base import Message
from capture.notify.sms import Notify
from tests.notify.stand_in import KEY, STRANGER, TEMPLATE, WRONG_NUMBER, StandIn

TEXT = Message("a" * 32, "+447700900123", "Elm Surgery asks you for photos.")


def test_a_text_arrives(texts: Notify, notify: StandIn) -> None:
    """The text and the number arrive under our own reference and the id of the service comes back; its JWT was checked there."""
    sent = texts.send(TEXT)
    assert notify.texts == [{"id": sent, "reference": TEXT.id, "to": TEXT.to, "text": TEXT.text}]


def test_an_answer_that_was_lost(texts: Notify, notify: StandIn) -> None:
    """When the line breaks after the text was taken, the next try finds it by its reference and sends nothing."""
    notify.answers = ["lost"]
    with pytest.raises(Unavailable):
        texts.send(TEXT)
    assert texts.send(Message(TEXT.id, TEXT.to, TEXT.text, attempt=2)) == notify.texts[0]["id"]
    assert len(notify.texts) == 1
    texts.send(Message("b" * 32, TEXT.to, TEXT.text, attempt=2))
    assert len(notify.texts) == 2


def test_a_number_that_is_refused(texts: Notify, caplog: pytest.LogCaptureFixture) -> None:
    """SECURITY 7: a number that cannot be is refused for good; neither the log nor the error has it, though the answer does."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Undeliverable) as caught:
        texts.send(Message(TEXT.id, WRONG_NUMBER, TEXT.text))
    assert caught.value.code == "number-refused"
    for told in (caplog.text, str(caught.value), str(caught.value.hint)):
        assert WRONG_NUMBER.removeprefix("+44") not in told


@pytest.mark.parametrize(("how", "code"), [("down", "notify-away"), ("odd", "notify-away"), ("moved", "notify-away")])
def test_a_service_that_is_not_well(texts: Notify, notify: StandIn, how: str, code: str) -> None:
    """SECURITY 43: when it is down, says nonsense, or sends us elsewhere, a later try may help; no redirect is followed."""
    notify.answers = [how]
    with pytest.raises(Unavailable) as caught:
        texts.send(TEXT)
    assert caught.value.code == code
    assert notify.calls == 1
    assert notify.texts == []


def test_a_service_that_is_not_there(texts: Notify, notify: StandIn, key_file: Path) -> None:
    """Nobody at that address is worth another try."""
    with pytest.raises(Unavailable) as caught:
        Notify(key_file, TEMPLATE, "http://127.0.0.1:9", 2).send(TEXT)
    assert caught.value.code == "notify-away"
    assert texts.check()
    assert notify.calls == 1


@pytest.mark.parametrize("url", ["http://169.254.169.254", "https://[fd00:ec2::254]", "http://192.0.2.1"])
def test_addresses_that_are_refused(key_file: Path, url: str) -> None:
    """SECURITY 43: a machine's metadata and plain http to elsewhere never get the key."""
    with pytest.raises(Unavailable, match=r".*") as caught:
        Notify(key_file, TEMPLATE, url, 2).send(TEXT)
    assert "is refused" in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["", "secret", KEY[:-1], f"x{KEY[-73:]} more"], ids=["none", "word", "short", "long"])
def test_a_key_that_is_none(key_file: Path, notify: StandIn, key: str) -> None:
    """A file without a key of that service is told, by its name, and the key itself is not."""
    key_file.write_text(key)
    with pytest.raises(Unavailable) as caught:
        Notify(key_file, TEMPLATE, notify.url, 2).send(TEXT)
    assert caught.value.code == "notify-key"
    assert str(key_file) in (caught.value.hint or "")
    assert not key or key not in (caught.value.hint or "")
    key_file.unlink()
    with pytest.raises(Unavailable, match=r".*"):
        Notify(key_file, TEMPLATE, notify.url, 2).send(TEXT)


def test_what_the_operator_must_put_right(texts: Notify, notify: StandIn, key_file: Path) -> None:
    """A wrong key or template is not the number's fault: it is tried again, and `capture check` says what is wrong."""
    assert "answers" in texts.check()
    notify.body = "Your link: ((link))"
    wrong_template = Notify(key_file, SERVICE_TEMPLATE, notify.url, 2)
    trial = Message(TEXT.id, STRANGER, TEXT.text)
    for call in (texts.check, wrong_template.check, lambda: wrong_template.send(TEXT), lambda: texts.send(trial)):
        with pytest.raises(CaptureError) as caught:
            call()
        assert caught.value.code == "notify-refused"
    key_file.write_text(KEY.replace("3d844edf", "00000000"))
    with pytest.raises(Unavailable) as caught:
        texts.send(TEXT)
    assert "403" in (caught.value.hint or "")
    notify.answers = ["odd"]
    with pytest.raises(Unavailable):
        texts.check()


SERVICE_TEMPLATE = "00000000-0000-4000-8000-000000000000"

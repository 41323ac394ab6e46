"""A damaged photo is told by e-mail."""

from pathlib import Path

from capture.actions.scrub import scrub_all
from capture.domain.messages import NOTICES
from capture.services import Services
from capture.store.models import Practice
from tests.builders import make_practice, make_request, make_submitted, photos_of
from tests.conftest import Clock
from tests.notify.mail_server import Mailbox
from tests.notify.test_sending import send_all


def test_damage_is_told_once(carried: Services, mailbox: Mailbox, clock: Clock) -> None:
    """However often the scrub finds the same damage, the practice gets one e-mail, which says nothing of the patient."""
    asked = make_request(carried, make_practice(carried))
    with carried.database.write() as db:
        db.get_one(Practice, asked.practice.id).notice_email = "inbox@surgery.example"
    make_submitted(carried, asked)
    (photo,) = photos_of(carried, asked)
    (Path(carried.settings.var) / "blobs" / photo.blob).unlink()
    for _ in range(3):
        assert scrub_all(carried).damaged
        send_all(carried)
        clock.forward(hours=2)
    (letter,) = [one for one in mailbox.letters if NOTICES["damaged"].split(".")[0] in " ".join(one.get_content().split())]
    assert letter["To"] == "inbox@surgery.example"
    assert not [text for text in asked.private if text in letter.as_string()]

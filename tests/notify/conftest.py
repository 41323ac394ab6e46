"""Carriers of messages on this machine, and services that use them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from capture.notify import choose_messengers
from capture.notify.mail import Mail
from capture.notify.sms import Notify
from capture.services import Services
from tests.notify.mail_server import PASSWORD, USER, Mailbox, running_mail_server
from tests.notify.stand_in import KEY, TEMPLATE, StandIn, running_stand_in


@pytest.fixture
def notify() -> Iterator[StandIn]:
    """What stands in for GOV.UK Notify."""
    with running_stand_in() as running:
        yield running


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    """A mail server that wants STARTTLS and a password."""
    with running_mail_server(tmp_path) as running:
        yield running


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "notify.key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture
def texts(notify: StandIn, key_file: Path) -> Notify:
    return Notify(key_file, TEMPLATE, notify.url, 2)


@pytest.fixture
def mails(mailbox: Mailbox, tmp_path: Path) -> Mail:
    return mail_of(mailbox, tmp_path)


def mail_of(mailbox: Mailbox, folder: Path, **changes: object) -> Mail:
    """The messenger for that server."""
    (folder / "mail.password").write_text(f"{PASSWORD}\n")
    made = Mail("127.0.0.1", mailbox.port, "starttls", "photos@surgery.example", 2, USER)
    files = {"password_file": folder / "mail.password", "ca_file": folder / "ca.pem"}
    return replace(made, **{**files, **changes})  # type: ignore[arg-type]


@pytest.fixture
def carried(services: Services, notify: StandIn, mailbox: Mailbox, key_file: Path, mails: Mail) -> Services:
    """Services whose settings name both carriers."""
    assert mails.password_file
    assert mails.ca_file
    settings = replace(
        services.settings,
        notify_key_file=str(key_file),
        notify_template=TEMPLATE,
        notify_url=notify.url,
        mail_host="127.0.0.1",
        mail_port=mailbox.port,
        mail_from=mails.sender,
        mail_user=USER,
        mail_password_file=str(mails.password_file),
        mail_ca_file=str(mails.ca_file),
        message_seconds=2,
        test_messages=True,
    )
    return replace(services, settings=settings, messengers=choose_messengers(settings))

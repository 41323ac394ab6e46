"""E-mails through a real SMTP server: only over TLS that was checked, and what is made of each refusal."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from capture.errors import Unavailable, Undeliverable
from capture.notify.base import Message
from capture.notify.mail import Mail
from tests.fault_proxy import Fault, fault_proxy
from tests.notify.conftest import mail_of
from tests.notify.mail_server import FULL, GREY, REFUSED, USER, Mailbox, running_mail_server
from tests.system.server import wait_until

LETTER = Message("a" * 32, "ada@example.org", "Hello,\n\nhere is a link.\n", "Élm Surgery\nasks you")


def test_an_email_arrives(mails: Mail, mailbox: Mailbox) -> None:
    """Over STARTTLS and with the password it arrives whole, from the practice's address, marked as sent by a program."""
    name = mails.send(LETTER)
    (letter,) = mailbox.letters
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text
    assert (letter["From"], letter["To"], letter["Subject"]) == (mails.sender, LETTER.to, "Élm Surgery asks you")
    assert letter["Message-ID"] == name == f"<{'a' * 32}@surgery.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert mailbox.envelopes[0].mail_from == mails.sender
    assert mailbox.who == [USER]


@pytest.mark.parametrize("security", ["tls", "none"])
def test_other_ways_to_connect(tmp_path: Path, security: str) -> None:
    """TLS from the start does as well, and plain SMTP where the settings allow it for tests."""
    with running_mail_server(tmp_path, security) as mailbox:
        mail = mail_of(mailbox, tmp_path, security=security)
        if security == "none":
            mail = replace(mail, user="", password_file=None)
        assert "answers" in mail.check()
        mail.send(LETTER)
        assert len(mailbox.raw) == 1


def test_certificates_are_checked(mails: Mail, mailbox: Mailbox, tmp_path: Path) -> None:
    """A certificate of an unknown authority, or of another name, ends it before the password is said."""
    with pytest.raises(Unavailable, match=r".*") as caught:
        replace(mails, ca_file=None).send(LETTER)
    assert "SSLCertVerificationError" in (caught.value.hint or "")
    (tmp_path / "other").mkdir()
    with running_mail_server(tmp_path / "other", name="mail.example.org") as other, pytest.raises(Unavailable):
        mail_of(other, tmp_path, ca_file=tmp_path / "other" / "ca.pem").send(LETTER)
    assert mailbox.who == other.who == []
    assert mailbox.raw == other.raw == []


def test_no_plain_text_by_force(tmp_path: Path) -> None:
    """A server, or someone on the line, that offers no STARTTLS gets neither password nor message."""
    with running_mail_server(tmp_path, "none") as mailbox, pytest.raises(Unavailable) as caught:
        mail_of(mailbox, tmp_path).send(LETTER)
    assert caught.value.code == "mail-away"
    assert mailbox.raw == []


@pytest.mark.parametrize(("to", "code"), [(REFUSED, "number-refused"), (FULL, "message-refused")])
def test_refused_for_good(mails: Mail, to: str, code: str) -> None:
    """A recipient or message that the server refuses with a 5xx is not tried again; the server's words are not kept."""
    with pytest.raises(Undeliverable) as caught:
        mails.send(replace(LETTER, to=to))
    assert caught.value.code == code
    assert to not in f"{caught.value} {caught.value.hint}"


def test_refused_for_now(mails: Mail, mailbox: Mailbox, tmp_path: Path) -> None:
    """A 4xx, a wrong password and a server that is not there are worth another try."""
    with pytest.raises(Unavailable) as caught:
        mails.send(replace(LETTER, to=GREY))
    assert caught.value.code == "mail-away"
    (tmp_path / "mail.password").write_text("wrong")
    with pytest.raises(Unavailable) as caught:
        mails.send(LETTER)
    assert caught.value.code == "mail-refused"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable):
            replace(mails, port=probe.getsockname()[1]).check()
    assert mailbox.raw == []


def test_an_answer_that_is_lost(mails: Mail, mailbox: Mailbox) -> None:
    """The table of faults: a server that took the e-mail and could not say so gets it again under the same Message-ID, by which a
    mailbox knows it; SMTP has no other way to tell (RFC 5321, 4.5.3.2.6)."""
    long = replace(LETTER, text="Hello again.\n" * 1_000)
    with fault_proxy(mailbox.port) as proxy:
        proxy.fail(Fault("lost", after=6_000))  # beyond all that is said before the e-mail itself
        line = replace(mails, port=proxy.port)
        with pytest.raises(Unavailable) as caught:
            line.send(long)
        assert caught.value.code == "mail-away"
        assert proxy.left == 0
        wait_until(lambda: len(mailbox.raw) == 1)
        line.send(long)
    first, second = mailbox.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content() == second.get_content()


@pytest.mark.parametrize("host", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0"])
def test_hosts_that_are_refused(mails: Mail, host: str) -> None:
    """SECURITY 43: nothing is sent to a machine's metadata, whatever the settings name."""
    with pytest.raises(Unavailable) as caught:
        replace(mails, host=host).send(LETTER)
    assert "is refused" in (caught.value.hint or "")

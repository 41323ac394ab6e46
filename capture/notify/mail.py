"""E-mails by SMTP (RFC 5321), over TLS from the start or by STARTTLS; plain only to this machine, where the settings say test."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from capture.errors import CaptureError, Unavailable, Undeliverable
from capture.notify.base import Message
from capture.outbound import check_host


@dataclass(frozen=True)
class Mail:
    """`security` is "starttls", "tls" or "none"; certificates are checked against the system's authorities or `ca_file`."""

    host: str
    port: int
    security: str
    sender: str
    timeout: int
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None

    def send(self, message: Message) -> str:
        """Hand an e-mail over; its Message-ID, the same at each try, so that whoever gets it twice can tell."""
        letter = EmailMessage()
        letter["From"], letter["To"] = self.sender, message.to
        letter["Subject"] = " ".join(message.subject.split())
        letter["Date"] = format_datetime(datetime.now(UTC))
        letter["Message-ID"] = f"<{message.id}@{self.sender.rpartition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text)
        with self._connected() as server:
            server.send_message(letter, self.sender, [message.to])
        return str(letter["Message-ID"])

    def check(self) -> str:
        """Connect, and sign in if there is a password."""
        with self._connected() as server:
            server.noop()
        return f"e-mails go through {self.host}, which answers"

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection that was made safe; what goes wrong in the block is raised as one of our errors."""
        try:
            check_host(self.host, self.port)
            server = self._connect()
            try:
                if self.password_file:
                    server.login(self.user, self.password_file.read_text("utf-8").strip())
                yield server
            finally:
                with suppress(smtplib.SMTPException, OSError):  # the message is accepted or not by now
                    server.quit()
                server.close()
        except (smtplib.SMTPException, OSError) as error:
            raise _ours(self.host, error) from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        if self.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


def _ours(host: str, error: Exception) -> CaptureError:
    """A 5xx about the recipient or the contents is for good; all else may be better later. The server's words are dropped."""
    if isinstance(error, smtplib.SMTPRecipientsRefused) and all(code >= 500 for code, _ in error.recipients.values()):
        return Undeliverable(code="number-refused")
    if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
        return Undeliverable(code="message-refused")
    code = "mail-refused" if isinstance(error, smtplib.SMTPResponseException) else "mail-away"
    return Unavailable(code=code, hint=f"{host}: {type(error).__name__}")

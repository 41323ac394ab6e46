"""A real SMTP server (aiosmtpd) with a certificate of an authority that is made here."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.ports import free_port

USER, PASSWORD = "capture", "a password of the mail server"
REFUSED, FULL, GREY = "nobody@example.org", "full@example.org", "grey@example.org"
"""Recipients that the server refuses: for good, once it has the message, and for now."""


class Mailbox:
    """What arrived: `raw` as bytes, `letters` parsed; `who` signed in. `down` makes the server say so to every recipient."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.envelopes: list[Envelope] = []
        self.who: list[str] = []
        self.down = False
        self.port = 0

    @property
    def letters(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == REFUSED:
            return "550 5.1.1 no such user nobody@example.org here"
        if self.down or address == GREY:
            return "451 4.7.1 come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - named by aiosmtpd
        if FULL in envelope.rcpt_tos:
            return "552 5.2.2 mailbox full"
        assert isinstance(envelope.content, bytes)
        self.raw.append(envelope.content)
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.who.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextmanager
def running_mail_server(folder: Path, security: str = "starttls", name: str = "127.0.0.1") -> Iterator[Mailbox]:
    """A mail server on this machine: "starttls", "tls" or "none". Its authority's certificate is `ca.pem` in the folder."""
    context = make_certificates(folder, name)
    mailbox = Mailbox()
    mailbox.port = free_port()
    asks: dict[str, dict[str, Any]] = {
        "starttls": {"tls_context": context, "require_starttls": True, "auth_required": True},
        "tls": {"ssl_context": context, "auth_require_tls": False},
        "none": {},
    }
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, authenticator=mailbox.authenticate, **asks[security])
    controller.start()
    yield mailbox
    controller.stop()


def make_certificates(folder: Path, name: str) -> ssl.SSLContext:
    """An authority, and a server's certificate of it for that address or name."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority of the tests")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mail server")])
    now = datetime.now(UTC)
    entry: x509.GeneralName = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    base = x509.CertificateBuilder().issuer_name(issuer).not_valid_before(now - timedelta(days=1))
    base = base.not_valid_after(now + timedelta(days=1))
    ca = base.subject_name(issuer).public_key(ca_key.public_key()).serial_number(x509.random_serial_number())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
    leaf = base.subject_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([entry]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(private + leaf.sign(ca_key, SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context

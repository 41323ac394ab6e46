"""The demo: a practice with keys, a member, and a fresh patient link, so that the whole journey can be tried at once.

What it shows again at every start (password, authenticator secret, passphrase) is derived from the service's secret, not kept;
the link and the date of birth exist only where they are shown. Not for real patients: here the server knows a passphrase.
"""

import base64
import contextlib
import io
import secrets
from dataclasses import asdict, dataclass
from datetime import date

import pyotp
import segno

from capture.actions.add_member import add_member
from capture.actions.add_practice import add_practice
from capture.actions.issue_link import Draft, issue_link
from capture.actions.prove_keys import prove_with
from capture.errors import CaptureError, NotFound
from capture.sealing.age import open_with_passphrase, seal_with_passphrase
from capture.sealing.files import write_new
from capture.sealing.keys import Identity, parse_identity_file, write_identity_file
from capture.services import Services
from capture.store import members, practices, recipients
from capture.store.models import Practice
from capture.store.vault import make_folder
from capture.web.qr import qr_svg

ODS, NAME, PHONE = "A81001", "Demo Surgery", "0191 498 0123"
EMAIL, MEMBER = "demo@capture.example", "Demo Receptionist"
BORN = date(1980, 3, 31)
_WORK = 14
"""The work factor of its identity files: a passphrase of 100 random bits needs no more. Files of practices have 18."""


@dataclass(frozen=True)
class Tour:
    """What one needs to try the demo: the staff sign-in, the passphrase, one patient link."""

    address: str
    practice: str
    email: str
    password: str
    authenticator_secret: str
    otpauth: str
    passphrase: str
    identity_file: str
    signer: str
    patient_link: str
    date_of_birth: str
    receipt: str

    def to_json(self) -> dict[str, str]:
        """The same for a program."""
        return asdict(self)


def make_demo(services: Services) -> Tour:
    """Make what is missing of the demo, keep what is there, and issue one fresh link. CaptureError beside a real practice."""
    _check_is_demo(services)
    folder = services.settings.var / "demo"
    make_folder(folder)
    passphrase = _derived(services, "passphrase", 5)
    practice = _practice(services, passphrase)
    password, code_secret = _derived(services, "password", 4), base64.b32encode(services.vault.derive("demo/code")[:20]).decode()
    with services.database.read() as db:
        member = members.find_member(db, EMAIL)
    if member is None:
        add_member(services, ODS, email=EMAIL, name=MEMBER, role="manager", password=password, code_secret=code_secret)
    days, key = services.settings.link_days, secrets.token_hex(16)
    draft = Draft("Demo patient", BORN, "DEMO-1", "back-of-forearm", "left", "lesion", days, key)
    issued = issue_link(services, practice.id, draft, actor="demo", asked_by=MEMBER)
    return Tour(
        address=services.settings.origin,
        practice=f"{NAME} ({ODS})",
        email=EMAIL,
        password=password,
        authenticator_secret=code_secret,
        otpauth=pyotp.TOTP(code_secret, name=EMAIL, issuer="Capture demo").provisioning_uri(),
        passphrase=passphrase,
        identity_file=str(folder / "identity.age"),
        signer=str(services.signing_key.verifying_key),
        patient_link=issued.link,
        date_of_birth=BORN.isoformat(),
        receipt=issued.receipt,
    )


def describe(tour: Tour) -> str:
    """The tour as `make run` prints it, with the link as a QR code."""
    code = io.StringIO()
    segno.make_qr(tour.patient_link, error="l").terminal(code, compact=True, border=1)
    return f"""
Capture is running at {tour.address}

  As a patient    {tour.patient_link}
                  date of birth {BORN.day} {BORN.month} {BORN.year}
{code.getvalue()}
  As staff        {tour.address}/staff/
                  e-mail      {tour.email}
                  password    {tour.password}
                  one-time code: add {tour.authenticator_secret} to an authenticator app, or look at {tour.address}
  To open photos  passphrase  {tour.passphrase}
                  or: capture open BUNDLE --identity {tour.identity_file} --out DIR

This is a demo. Do not send photos of real people. Press Ctrl-C to stop.
"""


def live_facts(tour: Tour) -> dict[str, object]:
    """What the front page shows besides: the code of this moment, the date of birth in words, the link as a QR code."""
    born = date.fromisoformat(tour.date_of_birth)
    code = pyotp.TOTP(tour.authenticator_secret).now()
    return {"code": code, "born": f"{born.day} {born.month} {born.year}", "qr_svg": qr_svg(tour.patient_link)}


def _check_is_demo(services: Services) -> None:
    """Nothing but the demo's practice is here: its password and passphrase are on the screen for anyone."""
    with services.database.read() as db:
        others = [practice.ods for practice in practices.list_practices(db) if (practice.ods, practice.name) != (ODS, NAME)]
    if others:
        raise CaptureError(
            f"There is a practice here that is not the demo's: {', '.join(others[:3])}.",
            hint="set CAPTURE_VAR to an empty folder, and no CAPTURE_DATABASE, for a demo of its own",
        )


def _practice(services: Services, passphrase: str) -> Practice:
    found = None
    with services.database.read() as db, contextlib.suppress(NotFound):
        found = practices.find_practice(db, ODS)
        proved = recipients.was_live(db, found.id)
    if found:
        if not proved:  # it is from before keys had to be proved
            prove_with(services, found.id, _read_identities(services, passphrase))
        return found
    signer, now = services.signing_key.verifying_key, services.clock()
    folder = services.settings.var / "demo"
    sealed: dict[str, bytes] = {}
    identities = {"identity": Identity.generate(), "recovery": Identity.generate()}
    for name, identity in identities.items():
        text = write_identity_file(identity, now, signer)
        sealed[name] = seal_with_passphrase(text.encode(), passphrase, log_n=_WORK)
        try:
            write_new(folder / f"{name}.age", sealed[name])
        except FileExistsError:
            raise CaptureError(
                f"{folder / name}.age is there, but the demo practice is not in the database.",
                hint=f"remove {services.settings.var} to begin anew",
            ) from None
    made = add_practice(
        services,
        ods=ODS,
        name=NAME,
        phone=PHONE,
        staff=identities["identity"].recipient,
        recovery=identities["recovery"].recipient,
        identity_file=sealed["identity"],
    )
    prove_with(services, made.id, identities.values())
    return made


def _read_identities(services: Services, passphrase: str) -> list[Identity]:
    folder = services.settings.var / "demo"
    files = [open_with_passphrase((folder / f"{name}.age").read_bytes(), passphrase) for name in ("identity", "recovery")]
    return [identity for file in files for identity in parse_identity_file(file.decode()).identities]


def _derived(services: Services, purpose: str, groups: int) -> str:
    """A passphrase of groups of four letters, the same as long as the service's secret is."""
    letters = base64.b32encode(services.vault.derive(f"demo/{purpose}")).decode().lower()
    return "-".join(letters[i * 4 : i * 4 + 4] for i in range(groups))

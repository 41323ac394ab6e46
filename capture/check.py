"""What `capture check` looks at: settings, keys, database, folders, and what this machine lacks. Every finding at once."""

from collections.abc import Callable
from ctypes.util import find_library
from dataclasses import dataclass

from sqlalchemy.orm import Session

from capture.app import choose_blobs
from capture.counters import describe
from capture.domain.links import TOKEN_LENGTH
from capture.domain.messages import LONGEST_TEXT, reminder, text_message
from capture.domain.openid import load_providers
from capture.domain.presets import load_presets
from capture.domain.protocols import load_catalogue
from capture.domain.scrubbing import BEGIN, END
from capture.errors import CaptureError, SettingsError
from capture.inbox import load_inboxes
from capture.inbox.base import Checks
from capture.notify import choose_messengers
from capture.sealing.keys import SigningKey
from capture.settings import ROOT, Settings, load_settings
from capture.store.audit import check_chain
from capture.store.blobs import NO_STORE, is_store
from capture.store.database import Database, database_exists, find_weaknesses, is_alive
from capture.store.delivery_list import list_open
from capture.store.journal import Journal
from capture.store.practices import list_practices
from capture.store.recipients import current_recipients
from capture.store.scrubbing import list_damages, next_parts
from capture.store.vault import check_private, load_vault

MOST = 20
"""How many damaged parts are named."""
EVENTS, LEAST = 100_000, 100
"""How many of the newest events of all audit trails are looked at, and of each at least; `capture audit verify` walks them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `hint` says what to do when it is not right, or could be better."""

    ok: bool
    subject: str
    fact: str
    hint: str = ""


def find_problems() -> list[Finding]:
    """Look at everything; changes nothing and makes nothing."""
    findings = [
        _find_turbojpeg(),
        *_problems("protocols", lambda: load_catalogue(ROOT / "config")),
        *_problems("presets", lambda: load_presets(ROOT / "config" / "presets.toml")),
    ]
    if wrong := _problems("settings", load_settings):
        return [*wrong, *findings]
    settings = load_settings()
    findings.insert(0, Finding(True, "settings", f"pages are served at {settings.origin}, links lead to {settings.link_origin}"))
    findings += _find_bucket(settings)
    findings += _find_inboxes(settings)
    findings += _problems("openid", lambda: load_providers(ROOT / settings.openid if settings.openid else None))
    findings += _find_messengers(settings)
    ok, fact = describe(settings.limits)
    findings.append(Finding(ok, "limits", fact, "" if ok else "start it, or set limits to where it is"))
    findings += _find_folder(settings)
    try:
        if not database_exists(settings.database):
            return [*findings, Finding(True, "database", "there is none yet; the first start makes it")]
        findings += _find_database(settings)
    except CaptureError as error:
        findings.append(Finding(False, "database", error.sentence, error.hint or ""))
    return findings


def _problems(subject: str, load: Callable[[], object]) -> list[Finding]:
    """What is wrong with settings: as many findings."""
    try:
        load()
    except SettingsError as error:
        return [Finding(False, subject, problem, error.hint or "") for problem in error.problems]
    return []


def _ask(subject: str, check: Callable[[], str], away: str) -> Finding:
    """What something outside says of itself; where it does not answer, that it is `away`."""
    try:
        return Finding(True, subject, check())
    except CaptureError as error:
        return Finding(False, subject, f"{away} just now ({error.code})", error.hint or "")


def _find_turbojpeg() -> Finding:
    if find_library("turbojpeg"):
        return Finding(True, "photos", "JPEGs keep every detail: TurboJPEG is there")
    return Finding(True, "photos", "JPEGs are decoded and encoded again, for want of TurboJPEG", "apt install libturbojpeg0")


def _find_bucket(settings: Settings) -> list[Finding]:
    """Where sealed photos lie in a bucket it is asked for, and whether what is deleted is gone from it."""
    if not settings.blobs:
        return []

    from capture.store.blobs_s3 import S3Blobs

    try:
        blobs = choose_blobs(settings)
        findings = [Finding(True, "sealed photos", blobs.check())] if isinstance(blobs, S3Blobs) else []
        if isinstance(blobs, S3Blobs) and blobs.keeps_versions():
            hint = "let a rule of the bucket delete old versions after a day, or use one that keeps none"
            findings.append(Finding(False, "sealed photos", "the bucket keeps versions: what is deleted is not gone", hint))
    except SettingsError as error:
        return [Finding(False, "sealed photos", problem, error.hint or "") for problem in error.problems]
    except CaptureError as error:
        return [Finding(False, "sealed photos", f"they cannot be reached just now ({error.code})", error.hint or "")]
    return findings


def _find_inboxes(settings: Settings) -> list[Finding]:
    """Each inbox that can be asked whether it would take bundles is asked."""
    try:
        places = load_inboxes(ROOT / settings.inboxes if settings.inboxes else None)
    except SettingsError as error:
        return [Finding(False, "inboxes", problem, error.hint or "") for problem in error.problems]
    asked = {name: place.inbox for name, place in places.items() if isinstance(place.inbox, Checks)}
    return [_ask(f"inbox {name}", inbox.check, "it takes nothing") for name, inbox in asked.items()]


def _find_messengers(settings: Settings) -> list[Finding]:
    """Whoever carries texts and e-mails is asked whether it would; nothing is sent."""
    subjects, chosen = {"sms": "texts", "email": "e-mails"}, choose_messengers(settings)
    findings = [_ask(subjects[channel], messenger.check, "they cannot be sent") for channel, messenger in chosen.items()]
    if settings.notify_key_file:
        findings += _find_long_texts(settings)
    return findings or [Finding(True, "messages", "no text and no e-mail is sent: staff hand over each link themselves")]


def _find_long_texts(settings: Settings) -> list[Finding]:
    """Whether a link leaves room for ten letters of the practice's name in one text (domain.messages)."""
    link = f"{settings.link_origin}/r/{'x' * TOKEN_LENGTH}"
    length = max(len(say("x" * 10, link)) for say in (text_message, reminder))
    if length <= LONGEST_TEXT:
        return []
    fact = f"each costs two: with a link to {settings.link_origin} it has {length} characters, and one takes {LONGEST_TEXT}"
    return [Finding(True, "length of texts", fact, "serve patients at a shorter address")]


def _find_folder(settings: Settings) -> list[Finding]:
    if not settings.var.exists():
        return []
    wrong = _problems("folder", lambda: check_private(settings.var))
    return wrong or [Finding(True, "folder", f"{settings.var} is for this user only")]


def _find_journal(journal: Journal, *, apart: bool) -> Finding:
    """Whether what ended can be read back, line by line; a restore depends on it."""
    try:
        count = sum(1 for _ in journal.read()) - 1 if journal.path.exists() else 0
    except CaptureError as error:
        hint = "keep it, move it away and start the service: a new one begins, and older backups need --without-journal"
        return Finding(False, "journal", error.hint or error.sentence, hint)
    hint = "" if apart else "name a file on another disk in CAPTURE_JOURNAL: lost together with the database it helps no restore"
    return Finding(True, "journal", f"{count} ends of links and deletions are noted in {journal.path}", hint)


def _find_database(settings: Settings) -> list[Finding]:
    vault = load_vault(settings.keys, may_create=False)
    signer = SigningKey.load(settings.keys / "signing.key").verifying_key
    database = Database(settings.database, vault)
    findings = [Finding(True, "keys", f"the signer to pin is {signer}, its fingerprint {signer.fingerprint}")]
    try:
        is_alive(database)
        findings.append(Finding(True, "database", "it answers"))
        findings += [Finding(False, "database", fact, hint) for fact, hint in find_weaknesses(database)]
        with database.read() as db:
            practices = list_practices(db)
            newest = max(LEAST, EVENTS // max(1, len(practices)))
            for practice in practices:
                try:
                    count = len(current_recipients(db, practice.id))
                    findings.append(Finding(True, f"practice {practice.ods}", f"photos are sealed to {count} recipients"))
                except CaptureError as error:
                    findings.append(Finding(False, f"practice {practice.ods}", "it cannot ask for photos", error.hint or ""))
                broken = check_chain(db, practice.id, newest=newest)
                if broken:
                    findings.append(Finding(False, f"practice {practice.ods}", f"its audit trail was tampered with: {broken}"))
            damaged = [f"{ods} {receipt} ({code})" for ods, receipt, code, _ in list_damages(db, MOST)]
            if damaged:
                fact = f"damaged or missing in the store, of these receipts: {', '.join(damaged)}"
                findings.append(Finding(False, "stored parts", fact, "capture restore DIR --parts puts back what a backup has"))
            if not (settings.blobs or is_store(settings.var / "blobs")) and next_parts(db, BEGIN, END, 1):
                hint = "mount it; if it is lost for good docs/running.md says what to do"
                findings.append(Finding(False, "sealed photos", f"{settings.var / 'blobs'} {NO_STORE}", hint))
            findings += _find_deliveries(db)
        findings.append(_find_journal(Journal(settings.journal_file, vault), apart=bool(settings.journal)))
    finally:
        database.close()
    return findings


def _find_deliveries(db: Session) -> list[Finding]:
    """What did not arrive: given up, or so late that the practice was told."""
    findings = []
    rows = [row for row in list_open(db, None, MOST) if row.told or row.state == "given up"]
    for state, fact in {"given up": "given up", "queued": "late", "under way": "not collected"}.items():
        named = [f"{row.ods} {row.receipt} to {row.inbox} ({row.last_error or 'no error'})" for row in rows if row.state == state]
        if named:
            hint = "capture deliveries list shows all of them"
            findings.append(Finding(False, "deliveries", f"{fact}, of these receipts: {', '.join(named)}", hint))
    return findings

"""The settings of one process: from config/capture.toml and CAPTURE_* variables, checked all at once.

Only this module reads the environment. `CAPTURE_VAR` names the folder for data (default `var`), `CAPTURE_CONFIG`
another settings file, `CAPTURE_DATABASE` another database than the SQLite file in that folder.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from capture.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
SURFACES = ("patient", "staff", "both")
SECURITIES = ("starttls", "tls", "none")
TRANSLATIONS = ROOT / "translations"
SOURCE_LANGUAGE = "en"
"""What every sentence is written in; it needs no catalogue."""
Names = tuple[str, ...]
_KINDS: dict[Any, str] = {int: "a whole number", str: "a text", bool: "true or false", Names: "a list of texts"}
_HOST = re.compile(r"[a-z0-9.:-]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
RANGES = {
    "port": (0, 65_535),
    "trusted_proxies": (0, 10),
    "threads": (1, 256),
    "cleaners": (1, 64),
    "max_upload_bytes": (1_000_000, 104_857_600),
    "max_photo_bytes": (100_000, 104_857_600),
    "max_photos": (1, 100),
    "max_refusals": (1, 1_000),
    "max_link_bytes": (1_000_000, 1 << 40),
    "upload_memory": (1_000_000, 1 << 40),
    "upload_minutes": (1, 720),
    "link_days": (1, 28),
    "scrub_days": (1, 365),
    "mail_port": (1, 65_535),
    "message_seconds": (1, 20),
}


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between two installations. Sizes in bytes. docs/settings.md says what each is for."""

    var: Path
    database: str
    origin: str
    patient_origin: str
    host: str
    port: int
    surface: str
    trusted_proxies: int
    threads: int
    cleaners: int
    max_upload_bytes: int
    max_photo_bytes: int
    max_photos: int
    max_refusals: int
    max_link_bytes: int
    upload_memory: int
    upload_minutes: int
    link_days: int
    languages: Names
    worker: bool
    audit_heads: str
    scrub_days: int
    security_contact: str
    openid: str
    inboxes: str
    notify_key_file: str
    notify_template: str
    notify_url: str
    notify_callback_file: str
    mail_host: str
    mail_port: int
    mail_security: str
    mail_from: str
    mail_user: str
    mail_password_file: str
    mail_ca_file: str
    message_seconds: int
    test_messages: bool
    webhook_networks: Names
    webhook_ca_file: str
    demo: bool = False

    @property
    def secure(self) -> bool:
        """Whether pages are served over TLS, so that cookies can be `__Host-` ones."""
        return self.origin.startswith("https://")

    @property
    def link_origin(self) -> str:
        """What links are built from: the origin of the process that serves the patients' pages."""
        return self.patient_origin or self.origin

    @property
    def keys(self) -> Path:
        """The folder of the service's own keys, never of a practice's identity."""
        return self.var / "keys"

    @property
    def heads_file(self) -> Path:
        """The file in which the ends of the audit chains are noted."""
        return ROOT / self.audit_heads if self.audit_heads else self.var / "audit-heads.log"


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read and check the settings; raises SettingsError with every problem found, not just the first."""
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    path = Path(environment.get("CAPTURE_CONFIG") or ROOT / "config" / "capture.toml")
    values = _read_file(path, problems)
    known = {field.name: field.type for field in fields(Settings)}
    problems += [f"{path.name} has {name!r}, which is not a setting" for name in sorted(values.keys() - known.keys())]
    values = {name: value for name, value in values.items() if name in known}
    for name, kind in known.items():
        text = environment.get(f"CAPTURE_{name.upper()}")
        if text is not None:
            values[name] = _parse(text, kind)
    values.update(overrides)
    for name, kind in known.items():
        if kind is Names and isinstance(values.get(name), list):  # as TOML has it
            values[name] = tuple(values[name])
    var = values.get("var", "var")
    values["var"] = ROOT / str(var)
    if not isinstance(var, str | Path) or values["var"].resolve() == ROOT:
        problems.append(f"var must be the path of a folder of its own, not {var!r}")
    values.setdefault("database", f"sqlite:///{values['var'] / 'capture.db'}")
    for name, kind in known.items():
        if name not in values:
            problems += [] if name == "demo" else [f"{name} is not set"]
        elif not _is(values[name], kind) and name != "var":
            problems.append(f"{name} must be {_KINDS[kind]}, not {values[name]!r}")
    problems += _check(values)
    if problems:
        raise SettingsError(problems, hint="docs/settings.md lists every setting; `capture check` shows this again")
    return Settings(**values)


def passphrase_from_environment() -> str:
    """The passphrase of an identity file, for programs that call `capture open`; empty when there is none."""
    return os.environ.get("CAPTURE_PASSPHRASE", "")


def _read_file(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path} is not TOML: {error}")
    return {}


def _parse(text: str, kind: Any) -> Any:
    """A variable's text as a value of that kind; as it is when it is none, to be told with the others."""
    if kind is bool and text.lower() in _YES | _NO:
        return text.lower() in _YES
    if kind is int and text.isascii() and text.lstrip("-").isdigit():
        return int(text)
    return tuple(re.findall(r"[^\s,]+", text)) if kind is Names else text


def _is(value: object, kind: Any) -> bool:
    return isinstance(value, tuple) and all(type(item) is str for item in value) if kind is Names else type(value) is kind


def _check(values: dict[str, Any]) -> list[str]:
    problems = []
    for name, (low, high) in RANGES.items():
        value = values.get(name)
        if type(value) is int and not low <= value <= high:
            problems.append(f"{name} must be from {low:,} to {high:,}, not {value:,}")
    if values.get("surface") not in SURFACES:
        problems.append(f"surface must be one of {', '.join(SURFACES)}, not {values.get('surface')!r}")
    origin, patient_origin = str(values.get("origin", "")), str(values.get("patient_origin", ""))
    problems += _check_origin("origin", origin)
    if patient_origin not in {"", origin}:
        problems += _check_origin("patient_origin", patient_origin)
        if values.get("surface") != "staff":
            problems.append("patient_origin is for surface staff; a process that serves patients has their address as its origin")
    if not str(values.get("security_contact", "")).startswith(("mailto:", "https://")):
        problems.append("security_contact must be a mailto: or https: address")
    problems += _check_languages(values.get("languages"))
    problems += _check_notify(values) + _check_mail(values) + _check_webhooks(values)
    upload, photo = values.get("max_upload_bytes"), values.get("max_photo_bytes")
    if type(upload) is int and type(photo) is int and photo > upload:
        problems.append(f"max_photo_bytes must not be above max_upload_bytes, {upload:,}")
    for name in ("upload_memory", "max_link_bytes"):
        if type(upload) is int and type(value := values.get(name)) is int and value < upload:
            problems.append(f"{name} must not be below max_upload_bytes, {upload:,}")
    return problems + _check_database(str(values["database"]))


def _check_languages(languages: Any) -> list[str]:
    if not _is(languages, Names):  # was told already
        return []
    known = {SOURCE_LANGUAGE, *(path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))}
    problems = [f"languages has {name!r}, which is none of {', '.join(sorted(known))}" for name in languages if name not in known]
    if SOURCE_LANGUAGE not in languages or len(set(languages)) < len(languages):
        problems.append(f"languages must have {SOURCE_LANGUAGE!r} among them, and none twice")
    return problems


def _check_webhooks(values: dict[str, Any]) -> list[str]:
    networks, problems = values.get("webhook_networks"), _check_files(values, "webhook_ca_file")
    for network in networks if isinstance(networks, tuple) else ():
        try:
            ip_network(str(network))
        except ValueError:
            problems.append(f"webhook_networks has {network!r}, which is no network such as 10.20.0.0/16")
    return problems


def _check_notify(values: dict[str, Any]) -> list[str]:
    """Texts: a key and a template go together; the key is sent to that address, so it is one that an origin could be."""
    problems = _check_files(values, "notify_key_file", "notify_callback_file") + _check_together(
        values, "notify_key_file", "notify_template"
    )
    if (template := values.get("notify_template")) and not _UUID.fullmatch(str(template)):
        problems.append(f"notify_template must be the id of a template at GOV.UK Notify, not {template!r}")
    return problems + _check_origin("notify_url", str(values.get("notify_url", "")))


def _check_mail(values: dict[str, Any]) -> list[str]:
    problems = _check_files(values, "mail_password_file", "mail_ca_file")
    problems += _check_together(values, "mail_host", "mail_from") + _check_together(values, "mail_user", "mail_password_file")
    security, host, sender = (str(values.get(name, "")) for name in ("mail_security", "mail_host", "mail_from"))
    if security not in SECURITIES:
        problems.append(f"mail_security must be one of {', '.join(SECURITIES)}, not {security!r}")
    if security == "none" and not (_is_loopback(host) and (values.get("test_messages") or values.get("demo"))):
        problems.append("mail_security none is for tests: with test_messages, to this machine itself")
    if sender and not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", sender):
        problems.append(f"mail_from must be an e-mail address, not {sender!r}")
    return problems


def _check_together(values: dict[str, Any], one: str, other: str) -> list[str]:
    return [f"{one} and {other} go together: set both or neither"] if bool(values.get(one)) != bool(values.get(other)) else []


def _check_files(values: dict[str, Any], *names: str) -> list[str]:
    """Files that hold secrets: they can be read, and there is something in them."""
    problems = []
    for name in names:
        path = values.get(name)
        try:
            if isinstance(path, str) and path and not (ROOT / path).read_bytes().strip():
                problems.append(f"{name}: {path} is empty")
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {path} cannot be read: {getattr(error, 'strerror', None) or error}")
    return problems


def _check_database(database: str) -> list[str]:
    path = database.removeprefix("sqlite:///")
    if path != database and (not Path(path).is_absolute() or path.endswith("/") or set("?\0") & set(path)):
        return [f"database must name a file by its whole path, as in sqlite:////var/lib/capture/capture.db, not {database!r}"]
    if not database.startswith(("sqlite:///", "postgresql+psycopg://")):
        return ["database must start with sqlite:/// or postgresql+psycopg://"]
    return []


def _check_origin(name: str, origin: str) -> list[str]:
    """An origin as browsers write it, so that it can be compared with what they send."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return [f"{name} is not a web address: {origin!r}"]
    shown = f"[{host}]" if ":" in host else host
    if port not in {None, {"http": 80, "https": 443}.get(parts.scheme)}:
        shown += f":{port}"
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host) or origin != f"{parts.scheme}://{shown}":
        return [
            f"{name} must be like https://photos.example.nhs.uk: small letters, no usual port, nothing after it; not {origin!r}"
        ]
    if parts.scheme == "http" and not _is_loopback(host):
        return [f"{name} must start with https:// unless it is this machine itself"]
    return []


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""What each setting may be: ranges, addresses, files, and what goes together. Each rule gives the problems that it finds."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SURFACES = ("patient", "staff", "both")
SECURITIES = ("starttls", "tls", "none")
TRANSLATIONS = ROOT / "translations"
SOURCE_LANGUAGE = "en"
"""What every sentence is written in; it needs no catalogue."""
Names = tuple[str, ...]
_HOST = re.compile(r"[a-z0-9.:-]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
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
    "senders": (1, 64),
    "scrub_days": (1, 365),
    "mail_port": (1, 65_535),
    "message_seconds": (1, 20),
}


def is_of_kind(value: object, kind: Any) -> bool:
    """Whether a value is of the kind that a setting has: a type, or Names."""
    return isinstance(value, tuple) and all(type(item) is str for item in value) if kind is Names else type(value) is kind


def find_problems(values: dict[str, Any]) -> list[str]:
    """What is wrong with the values of all settings; one that is missing or of another kind is passed over."""
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
    problems += _check_limits(str(values.get("limits", "")))
    if (blobs := str(values.get("blobs", ""))) and not blobs.startswith("s3://"):
        problems.append(f"blobs must be empty, or a bucket such as s3://bucket/prefix, not {blobs!r}")
    upload, photo = values.get("max_upload_bytes"), values.get("max_photo_bytes")
    if type(upload) is int and type(photo) is int and photo > upload:
        problems.append(f"max_photo_bytes must not be above max_upload_bytes, {upload:,}")
    for name in ("upload_memory", "max_link_bytes"):
        if type(upload) is int and type(value := values.get(name)) is int and value < upload:
            problems.append(f"{name} must not be below max_upload_bytes, {upload:,}")
    return problems + _check_database(str(values["database"]))


def _check_limits(limits: str) -> list[str]:
    """Where rates are counted; it may hold a password, so what is wrong is not repeated."""
    try:
        parts = urlsplit(limits)
        right = limits == "memory://" or (parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0)
    except ValueError:
        right = False
    return [] if right else ["limits must be memory://, or like redis://host:6379/0 or rediss://:password@host:6379/0"]


def _check_languages(languages: Any) -> list[str]:
    if not is_of_kind(languages, Names):  # was told already
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

"""The settings of one process: from config/capture.toml and CAPTURE_* variables, checked all at once.

Only this module reads the environment. `CAPTURE_VAR` names the folder for data (default `var`), `CAPTURE_CONFIG`
another settings file, `CAPTURE_DATABASE` another database than the SQLite file in that folder.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from capture.errors import SettingsError
from capture.settings_rules import RANGES, ROOT, SOURCE_LANGUAGE, TRANSLATIONS, Names, find_problems, is_of_kind

__all__ = ["RANGES", "ROOT", "SOURCE_LANGUAGE", "TRANSLATIONS", "Settings", "load_settings", "passphrase_from_environment"]
_KINDS: dict[Any, str] = {int: "a whole number", str: "a text", bool: "true or false", Names: "a list of texts"}
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


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
    limits: str
    languages: Names
    worker: bool
    audit_heads: str
    senders: int
    journal: str
    blobs: str
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

    @property
    def journal_file(self) -> Path:
        """The file in which it is noted which links ended and which requests were deleted."""
        return ROOT / self.journal if self.journal else self.var / "journal.log"


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
        elif not is_of_kind(values[name], kind) and name != "var":
            problems.append(f"{name} must be {_KINDS[kind]}, not {values[name]!r}")
    problems += find_problems(values)
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

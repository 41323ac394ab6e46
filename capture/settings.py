"""The settings of one process: from config/capture.toml and CAPTURE_* variables, checked all at once.

Only this module reads the environment. `CAPTURE_VAR` names the folder for data (default `var`), `CAPTURE_CONFIG`
another settings file, `CAPTURE_DATABASE` another database than the SQLite file in that folder.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from capture.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
SURFACES = ("patient", "staff", "both")
_KINDS: dict[Any, str] = {int: "a whole number", str: "a text", bool: "true or false"}
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
    "link_days": (1, 28),
}


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between two installations. Sizes in bytes. docs/settings.md says what each is for."""

    var: Path
    database: str
    origin: str
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
    link_days: int
    worker: bool
    security_contact: str
    demo: bool = False

    @property
    def secure(self) -> bool:
        """Whether pages are served over TLS, so that cookies can be `__Host-` ones."""
        return self.origin.startswith("https://")

    @property
    def keys(self) -> Path:
        """The folder of the service's own keys, never of a practice's identity."""
        return self.var / "keys"


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
    var = values.get("var", "var")
    if not isinstance(var, str | Path):
        problems.append(f"var must be the path of a folder, not {var!r}")
    values["var"] = ROOT / str(var)
    values.setdefault("database", f"sqlite:///{values['var'] / 'capture.db'}")
    for name, kind in known.items():
        if name not in values:
            problems += [] if name == "demo" else [f"{name} is not set"]
        elif type(values[name]) is not kind and name != "var":
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
    return text


def _check(values: dict[str, Any]) -> list[str]:
    problems = []
    for name, (low, high) in RANGES.items():
        value = values.get(name)
        if type(value) is int and not low <= value <= high:
            problems.append(f"{name} must be from {low:,} to {high:,}, not {value:,}")
    if values.get("surface") not in SURFACES:
        problems.append(f"surface must be one of {', '.join(SURFACES)}, not {values.get('surface')!r}")
    problems += _check_origin(str(values.get("origin", "")))
    if not str(values.get("security_contact", "")).startswith(("mailto:", "https://")):
        problems.append("security_contact must be a mailto: or https: address")
    if not str(values["database"]).startswith(("sqlite:///", "postgresql+psycopg://")):
        problems.append("database must start with sqlite:/// or postgresql+psycopg://")
    return problems


def _check_origin(origin: str) -> list[str]:
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return [f"origin is not a web address: {origin!r}"]
    if parts.scheme not in {"http", "https"} or not host or "@" in origin or origin != f"{parts.scheme}://{parts.netloc}":
        return [f"origin must be like https://photos.example.nhs.uk, with nothing after the name, not {origin!r}"]
    if parts.scheme == "http" and not _is_loopback(host):
        return ["origin must start with https:// unless it is this machine itself"]
    return []


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

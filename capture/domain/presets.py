"""What the systems that referrals are made in take: the files that staff save are made to fit. Data in config/presets.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capture.errors import CaptureError, SettingsError

SMALLEST = 20_000
"""Bytes: under this no photo would be worth sending."""


@dataclass(frozen=True)
class ReferralPreset:
    """A file has fewer than `under` bytes; there are `files` at most (0: no limit). `title` is what staff choose by."""

    name: str
    title: str
    under: int
    files: int

    def problems(self) -> list[str]:
        """What is wrong with it, in sentences."""
        wrong = []
        if not (isinstance(self.title, str) and self.title):
            wrong.append("title must be a text")
        if not (type(self.under) is int and self.under >= SMALLEST):
            wrong.append(f"under must be a whole number of bytes from {SMALLEST:,}")
        if not (type(self.files) is int and self.files >= 0):
            wrong.append("files must be a whole number from 0")
        return [f"presets.{self.name}: {problem}" for problem in wrong]


def check_can_save(preset: ReferralPreset, files: int) -> None:
    """Raise CaptureError where the system does not take so many files."""
    if preset.files and files > preset.files:
        raise CaptureError(f"{preset.name} takes {preset.files} files at most, not {files}.", code="too-many-files")


def load_presets(path: Path) -> dict[str, ReferralPreset]:
    """Read presets.toml, in its order; raises SettingsError with every problem."""
    try:
        tables = tomllib.loads(path.read_text("utf-8")).get("presets", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"{path.name} cannot be read: {error}"], hint="see config/presets.toml") from None
    entries = tables if isinstance(tables, dict) else {}
    problems, presets = [] if entries else [f"{path.name} has no preset"], dict[str, ReferralPreset]()
    for name, entry in entries.items():
        known = {"title", "under", "files"}
        if not isinstance(entry, dict) or entry.keys() != known:
            problems.append(f"presets.{name} must have {', '.join(sorted(known))} and nothing else")
            continue
        presets[name] = ReferralPreset(name, **entry)
        problems += presets[name].problems()
    if problems:
        raise SettingsError(problems, hint="see config/presets.toml")
    return presets


def for_script(presets: Mapping[str, ReferralPreset], first: str = "") -> list[dict[str, Any]]:
    """The presets as the opening page hands them to its script: that of the practice first, since the first one is chosen."""
    return [asdict(preset) for preset in sorted(presets.values(), key=lambda preset: preset.name != first)]

"""Which hints a photo gets: from its figures (capture/photos/quality.py) and the thresholds in config/quality.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from capture.errors import SettingsError


@dataclass(frozen=True)
class Thresholds:
    """One limit for each figure, in its own unit; `movement` is for the live picture alone."""

    sharpness: float
    light: float
    clipped: float
    megapixels: float
    movement: float


def load_thresholds(path: Path) -> Thresholds:
    """Read quality.toml; raises SettingsError with every problem."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"{path.name} cannot be read: {error}"]) from None
    values = {name: value for table in tables.values() if isinstance(table, dict) for name, value in table.items()}
    known = {field.name for field in fields(Thresholds)}
    problems = [f"{path.name} has {name!r}, which is not a threshold" for name in sorted(values.keys() - known)]
    problems += [f"{path.name}: {name} is missing" for name in sorted(known - values.keys())]
    numbers = {name: float(value) for name, value in values.items() if type(value) in {int, float} and value >= 0}
    problems += [
        f"{path.name}: {name} must be a number from 0, not {values[name]!r}" for name in sorted(values.keys() - numbers.keys())
    ]
    if problems:
        raise SettingsError(problems, hint="see config/quality.toml")
    return Thresholds(**numbers)


def hints(figures: Mapping[str, float], thresholds: Thresholds) -> tuple[str, ...]:
    """What may be wrong with a photo, as codes: dark, blurred, bright, small. In the dark nobody can tell whether it is sharp."""
    is_dark = figures["light"] < thresholds.light
    found = {
        "dark": is_dark,
        "blurred": figures["sharpness"] < thresholds.sharpness and not is_dark,
        "bright": figures["clipped"] > thresholds.clipped,
        "small": figures["megapixels"] < thresholds.megapixels,
    }
    return tuple(code for code, is_so in found.items() if is_so)

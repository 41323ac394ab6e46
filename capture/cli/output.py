"""How every command answers: a result as text or JSON, an error as a fact and a hint, an exit code that means something."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from capture.errors import BackupRefused, BundleError, CaptureError, PhotoRefused, SettingsError, Unavailable

P = ParamSpec("P")
REFUSED, NOT_READY = 3, 4
PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print an error as a fact and a hint, and end with the code for its kind."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            try:
                command(*args, **kwargs)
            except OSError as error:  # a file or folder that this machine does not let us have
                where = f"{error.filename}: " if error.filename else ""
                hint = "look whether the path is right, whether this user may use it, and whether there is room"
                raise CaptureError(f"{where}{error.strerror or error}", hint=hint) from None
        except CaptureError as error:
            error_lines(error, bool(kwargs.get("as_json")))
            refused = isinstance(error, PhotoRefused | BundleError | BackupRefused)
            sys.exit(REFUSED if refused else NOT_READY if isinstance(error, SettingsError | Unavailable) else 1)

    return run


def error_lines(error: CaptureError, as_json: bool, values: Mapping[str, Any] | None = None) -> None:
    """An error on standard error, and for a program as JSON on standard output too, with what it is about."""
    if as_json:
        told = {"code": error.code, "sentence": error.sentence, "hint": error.hint}
        click.echo(json.dumps({**(values or {}), "error": told}))
    about = f"{values['receipt']}: " if values else ""
    for line in error.sentence.splitlines():
        click.echo(f"error: {about}{line}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def print_result(as_json: bool, values: dict[str, Any], text: str) -> None:
    """One result: JSON on one line, or the text."""
    click.echo(json.dumps(values) if as_json else text)

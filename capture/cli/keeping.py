"""The commands that keep what is stored: look whether it is whole, back it up, bring it back."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from capture.cli.output import json_option, print_result, reports_errors
from capture.cli.service import load_services


@contextmanager
def showing_bytes(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal that moves by the bytes it is told of; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


@click.command()
@json_option
@reports_errors
def scrub(as_json: bool) -> None:
    """Read every stored part now, say which are damaged or missing, and remove parts that belong to nothing."""
    from capture.actions.scrub import scrub_all, stored_bytes

    services = load_services()
    try:
        with showing_bytes("Reading", stored_bytes(services)) as step:
            found = scrub_all(services, step)
    finally:
        services.close()
    lines = [f"PROBLEM  {name}: {code}" for name, code in found.damaged.items()]
    lines.append(f"{found.parts} parts were read, {len(found.damaged)} are damaged or missing. Orphans removed: {found.orphans}.")
    values = {"parts": found.parts, "bytes": found.size, "damaged": found.damaged, "orphans": found.orphans}
    print_result(as_json, values, "\n".join(lines))
    if found.damaged:
        sys.exit(1)

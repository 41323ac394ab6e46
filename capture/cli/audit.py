"""The commands for the audit trail."""

import sys

import click

from capture.cli.output import NOT_READY, json_option, print_result, reports_errors
from capture.cli.service import load_services


@click.group()
def audit() -> None:
    """Look after the audit trail."""


@audit.command("head")
@json_option
@reports_errors
def note_head(as_json: bool) -> None:
    """Note where each audit chain ends, in the file that `audit_heads` names; the worker does the same every hour."""
    from capture.actions.note_heads import note_heads

    services = load_services()
    try:
        count = note_heads(services)
        path = services.settings.heads_file
    finally:
        services.close()
    print_result(as_json, {"noted": count, "file": str(path)}, f"{count} new heads were noted in {path}.")


@audit.command("verify")
@json_option
@reports_errors
def verify(as_json: bool) -> None:
    """Walk every audit chain and compare it with what was noted outside the database; says every problem at once."""
    from capture.actions.note_heads import find_breaks, list_restores

    services = load_services()
    try:
        problems, restores = find_breaks(services), list_restores(services)
    finally:
        services.close()
    lines = [f"NOTE     {restore}" for restore in restores] + [f"PROBLEM  {problem}" for problem in problems]
    lines += [] if problems else ["Every audit chain is unbroken, and ends where it was noted."]
    print_result(as_json, {"problems": problems, "restores": restores}, "\n".join(lines))
    if problems:
        sys.exit(NOT_READY)

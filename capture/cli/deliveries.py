"""The commands that show the operator which bundles did not arrive, and send them again."""

from typing import Any

import click

from capture.cli.output import json_option, print_result, reports_errors
from capture.cli.service import load_services
from capture.errors import CaptureError

MOST = 10_000


@click.group()
def deliveries() -> None:
    """Look at bundles that did not reach an inbox, and send them again."""


@deliveries.command("list")
@click.option("--practice", "ods", metavar="ODS", help="Only those of this practice.")
@click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")
@json_option
@reports_errors
def list_deliveries(ods: str | None, limit: int, as_json: bool) -> None:
    """List deliveries that were not made: those that were given up, then those that failed and wait, then the others."""
    from capture.store import delivery_list
    from capture.store.practices import find_practice

    services = load_services()
    try:
        with services.database.read() as db:
            rows = delivery_list.list_open(db, find_practice(db, ods).id if ods else None, limit)
    finally:
        services.close()
    lines = [
        f"{row.id}  {row.state:<9}  {row.ods} {row.receipt} to {row.inbox}, sent {row.created_at:%Y-%m-%d %H:%M}, "
        f"tried {row.attempts} times{f': {row.last_error}' if row.last_error else ''}"
        for row in rows
    ]
    print_result(as_json, {"deliveries": [_values(row) for row in rows]}, "\n".join(lines) or "Every bundle has arrived.")


@deliveries.command("again")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@json_option
@reports_errors
def send_again(ids: tuple[str, ...], as_json: bool) -> None:
    """Send again what was given up, or make a delivery that waits for its next try at once."""
    from capture.actions.hurry_delivery import hurry_delivery
    from capture.store import delivery_list

    services, refused = load_services(), {}
    try:
        for delivery_id in ids:
            try:
                with services.database.read() as db:
                    practice_id = delivery_list.practice_of(db, delivery_id)
                hurry_delivery(services, practice_id, delivery_id, actor="operator")
            except CaptureError as error:
                refused[delivery_id] = error.sentence
    finally:
        services.close()
    if refused:
        raise CaptureError("\n".join(f"{delivery_id}: {sentence}" for delivery_id, sentence in refused.items()))
    print_result(as_json, {"again": list(ids)}, f"{len(ids)} will be made now.")


def _values(row: Any) -> dict[str, Any]:
    """A delivery for programs; times in UTC. One that waits for an earlier one has no time at which it is due."""
    from capture.store.deliveries import BEHIND

    times = {name: getattr(row, name) for name in ("created_at", "due_at", "handed_at")}
    times["due_at"] = None if row.due_at == BEHIND else row.due_at
    names = ("id", "ods", "receipt", "inbox", "state", "attempts", "last_error")
    return {name: getattr(row, name) for name in names} | {name: at and at.isoformat() for name, at in times.items()}

"""The commands that keep what is stored: look whether it is whole, back it up, bring it back."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from capture.cli.output import PATH, json_option, print_result, reports_errors
from capture.cli.service import load_services
from capture.errors import SettingsError


@contextmanager
def showing_bytes(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal that moves by the bytes it is told of; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def check_begun() -> None:
    """SettingsError where there is no database yet: a command that keeps what is stored makes none."""
    from capture.settings import load_settings
    from capture.store.database import database_exists

    settings = load_settings()
    if not database_exists(settings.database):
        hint = "mount the data folder, or set CAPTURE_VAR or CAPTURE_DATABASE to where it is"
        raise SettingsError(["there is no database, so there is nothing to keep"], hint=hint)


@click.command()
@json_option
@reports_errors
def scrub(as_json: bool) -> None:
    """Read every stored part now, say which are damaged or missing, and remove parts that belong to nothing."""
    from capture.actions.scrub import scrub_all, stored_bytes

    check_begun()
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


@click.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--keep", type=click.IntRange(1, 999_999), default=7, show_default=True, help="Keep that many snapshots, the newest.")
@json_option
@reports_errors
def backup(folder: Path, keep: int, as_json: bool) -> None:
    """Back up database and sealed photos into a folder, while the service runs; a photo that is there is not copied again."""
    from capture.actions.back_up import back_up
    from capture.actions.scrub import stored_bytes

    check_begun()
    services = load_services()
    try:
        with showing_bytes("Copying", stored_bytes(services)) as step:
            done = back_up(services, folder, keep, step)
    finally:
        services.close()
    lines = [f"PROBLEM  {name} is damaged or missing in the store, and in the backup too" for name in done.missing]
    there = done.parts - len(done.missing)
    lines.append(f"Snapshot {done.snapshot} of {folder} was written: {there} photos, {done.copied} of them copied now.")
    lines.append(f"Of those that were there {done.compared} were read again and compared; `capture restore --check` reads all.")
    lines.append(f"Left the backup: {done.removed} photos that were deleted, {done.dropped} older snapshots.")
    lines.append(f"Not in it: {services.settings.keys}, without which it restores nothing. Keep a copy apart from this one.")
    print_result(as_json, asdict(done), "\n".join(lines))
    if done.missing:
        sys.exit(1)


@click.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--snapshot", type=click.IntRange(1, 999_999), help="Restore this snapshot instead of the newest.")
@click.option("--without-journal", is_flag=True, help="End every link and delete what is due, since nothing says what ended since.")
@click.option("--check", is_flag=True, help="Read the whole backup and compare; restore nothing.")
@click.option("--parts", is_flag=True, help="Only put back photos that the scrub found damaged; the service may run.")
@json_option
@reports_errors
def restore(folder: Path, snapshot: int | None, without_journal: bool, check: bool, parts: bool, as_json: bool) -> None:
    """Bring a backup back into an empty database, verified first. The service must not run, and its keys must be there."""
    from capture.actions.restore import check_backup, mend, snapshot_bytes
    from capture.actions.restore import restore as run

    if check + parts + without_journal > 1:
        raise click.UsageError("--check, --parts and --without-journal do not go together.")
    if parts and snapshot:
        raise click.UsageError("--parts and --snapshot do not go together.")
    services = load_services() if parts else load_services(sends=True, restoring=True)
    try:
        if parts:
            whole, damaged = mend(services, folder)
            text = f"{len(whole)} photos are whole again, {len(damaged)} are still damaged."
            print_result(as_json, {"whole": whole, "damaged": damaged}, text)
            sys.exit(1 if damaged else 0)
        with showing_bytes("Reading", snapshot_bytes(services, folder, snapshot)) as step:
            if check:
                done = check_backup(services, folder, snapshot, step)
            else:
                done = run(services, folder, snapshot, without_journal=without_journal, step=step)
    finally:
        services.close()
    lines = [f"PROBLEM  {name} is missing from the backup, or not as it was sealed" for name in done.missing]
    lines += [f"PROBLEM  snapshot {later} has rotted: parts that left the backup with it are missing" for later in done.unread]
    what = f"Snapshot {done.snapshot}, made at {done.made_at}"
    if check:
        lines.append(f"{what}, {'has damage' if done.missing else 'is whole'}: {done.parts} photos are as they were sealed.")
    else:
        lines.append(f"{what}, was brought back: {done.parts} photos.")
        lines.append(
            f"Links ended: {done.ended}. Requests deleted: {done.deleted}. Bundles that nobody had opened: {done.unopened}."
        )
        lines.append(f"Members, tokens and webhooks without access again: {done.access}. Keys retired again: {done.keys}.")
        lines.append("What came after the backup is not there: docs/running.md says whom to tell.")
    print_result(as_json, asdict(done), "\n".join(lines))
    if done.missing or done.unread:
        sys.exit(1)

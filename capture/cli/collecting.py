"""`capture collect`: the practice's side, for a folder that its own system watches. No service, settings or database is needed."""

import json
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from capture.cli.opening import chosen_photos, fitting, pinned_signer, preset_named, read_identity, values_of
from capture.cli.output import FILE, REFUSED, error_lines, reports_errors
from capture.cli.sheets import fhir_of, pdf_of
from capture.cli.signals import stopped_by_signals
from capture.cli.sources import source_of
from capture.errors import CaptureError, SourceAway

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
EVERY, LONGEST = 60, 900
"""Seconds between two looks; and between two tries at most, while nothing answers."""


@click.command()
@click.option("--server", metavar="URL", help="Where the staff pages are, such as https://photos.example.nhs.uk.")
@click.option("--from", "origin", metavar="PLACE", help="Without access to the server: mesh://MAILBOX or s3://BUCKET/PREFIX.")
@click.option("--practice", required=True, metavar="ODS", help="The practice's ODS code: bundles of another are refused.")
@click.option("--token-file", type=FILE, help="With --server: a file whose first line is the token.")
@click.option("--settings-file", type=FILE, help="With --from: a file with what the mailbox or bucket needs.")
@click.option("--endpoint", metavar="URL", help="With --from s3://: where the bucket is, if it is not at AWS.")
@click.option("--region", help="With --from s3://: its region.  [default: eu-west-2]")
@click.option("--delete", is_flag=True, help="With --from s3://: take away each object once it is collected.")
@click.option("--identity", required=True, type=FILE, help="The identity file, plain or under a passphrase.")
@click.option("--out", required=True, type=FOLDER, help="The folder that the other system watches; it must be there.")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C or SIGTERM; the bundle at hand is finished.")
@click.option("--every", type=click.IntRange(1, 86_400), help="With --watch: seconds between two looks.  [default: 60]")
@click.option("--preset", metavar="NAME", help="Make the photos fit what a system takes: a name from config/presets.toml.")
@click.option("--pdf", "as_pdf", is_flag=True, help="Write one PDF with the photos as they are and their facts, not JPEG files.")
@click.option("--fhir", "as_fhir", is_flag=True, help="Write the photos as one FHIR R4 Bundle too, for a record system.")
@click.option("--facts", "as_facts", is_flag=True, help="Write what was asked and what the patient said as JSON too.")
@click.option("--mode", type=click.Choice(["600", "640", "660"]), default="600", show_default=True, help="Who may read the files.")
@click.option("--signer", metavar="ED25519:…", help="The server's signing key, if the identity file does not pin it.")
@click.option(
    "--ca-file", type=FILE, help="With --server or s3://: certificates of the authorities to trust, instead of the system's."
)
@click.option(
    "--passphrase-file", type=FILE, help="A file whose first line is the passphrase; else CAPTURE_PASSPHRASE, or it is asked for."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each bundle, and for each error.")
@reports_errors
def collect(
    practice: str,
    identity: Path,
    out: Path,
    watch: bool,
    every: int | None,
    preset: str | None,
    as_pdf: bool,
    as_fhir: bool,
    as_facts: bool,
    mode: str,
    signer: str | None,
    passphrase_file: Path | None,
    as_json: bool,
    **places: Any,
) -> None:
    """Collect what patients sent: fetch each bundle that waits, check and open it, lay its files into a folder, acknowledge it."""
    from capture.collecting.collect import Collector
    from capture.collecting.folder import Folder

    if as_pdf and preset:
        raise click.UsageError("A PDF holds the photos as they are: give --pdf or --preset, not both.")
    rule = preset_named(preset) if preset else None
    if rule and sys.platform == "win32":
        raise click.UsageError("Photos are made to fit on Linux and macOS only.")
    if every and not watch:
        raise click.UsageError("--every goes with --watch.")
    source = source_of(**places)
    found = read_identity(identity, passphrase_file)
    pinned = pinned_signer(signer, found)
    told = _Telling(as_json, sys.stderr.isatty() and not as_json)
    with ExitStack() as stack:
        folder = Folder(out, int(mode, 8))
        stack.callback(folder.close)
        stack.callback(told.end_bar)
        fit = stack.enter_context(fitting(rule))
        stop = stack.enter_context(stopped_by_signals())
        pack = _packing(rule, pinned, fit, as_pdf, as_fhir, as_facts)
        room = 1.0 + 1.4 * as_fhir  # base64 makes four bytes of three
        collector = Collector(source, folder, practice, found.identities, pinned, pack, room, told.progress)
        if watch:
            _watch(collector, told, stop, every or EVERY)
            return
        _look(collector, told, stop)
    if not (told.count or as_json):
        click.echo("Nothing waits.")
    if told.refused:
        sys.exit(REFUSED)


def _look(collector: Any, told: "_Telling", stop: threading.Event) -> None:
    """Collect what waits now, or as much of it as there is time for."""
    for outcome in collector.collect():
        told.tell(outcome)
        if stop.is_set():
            return


def _watch(collector: Any, told: "_Telling", stop: threading.Event, every: int) -> None:
    """Look again and again. What may pass by itself is told and waited for, longer each time."""
    wait = every
    while not stop.is_set():
        try:
            _look(collector, told, stop)
            wait = every
        except (CaptureError, OSError) as problem:
            error = problem if isinstance(problem, CaptureError) else CaptureError(f"{collector.folder.out}: {problem.strerror}")
            if not isinstance(problem, SourceAway | OSError) and error.code != "no-space":
                raise  # somebody must put it right first
            told.complain({}, error)
            wait = max(min(2 * wait, LONGEST), every, getattr(error, "retry_after", 0))
        left = wait
        while left > 0 and not stop.wait(min(left, 1)):  # in small steps, for Windows does not break off a wait at Ctrl-C
            left -= 1


def _packing(
    rule: Any, pinned: Any, fit: Callable[[bytes], bytes], as_pdf: bool, as_fhir: bool, as_facts: bool
) -> Callable[[Any, Any], None]:
    """What writes the files of a bundle: the receipt is in front of each name, so that no two bundles share one."""

    def pack(opened: Any, stage: Any) -> None:
        request, photos = opened.request, chosen_photos(opened.photos, (), rule)

        def add(name: str, pieces: Any) -> None:
            stage.add(f"{request.receipt}_{name}", pieces)

        if as_pdf:
            add(*pdf_of(opened, photos))
        else:
            for photo in photos:
                add(request.file_name(photo), [fit(opened.read(photo))])
        if as_fhir:
            add(*fhir_of(opened, photos))
        if as_facts:
            facts = json.dumps(values_of(request, pinned), ensure_ascii=False, indent=1)
            add(f"{request.file_name(photos[0]).rsplit('_', 2)[0]}_facts.json", [facts.encode(), b"\n"])

    return pack


@dataclass
class _Telling:
    """Says what becomes of each bundle: to a person by receipt alone, since that may go to a log; to a program with its files."""

    as_json: bool
    with_bar: bool
    count: int = 0
    refused: int = 0
    _bar: Any = None

    def tell(self, outcome: Any) -> None:
        """What became of one bundle."""
        self.end_bar()
        self.count += 1
        values, receipt = {"bundle": outcome.bundle.id, "receipt": outcome.bundle.receipt}, outcome.bundle.receipt
        if outcome.error:
            self.refused += outcome.state == "refused"
            self.complain(values, outcome.error)
            return
        files = len(outcome.files)
        text = {
            "collected": f"collected {receipt}: {files} file{'s' if files != 1 else ''}",
            "acknowledged": f"acknowledged {receipt}, which was collected before",
            "gone": f"{receipt} does not wait any longer",
        }[outcome.state]
        self.say({**values, "state": outcome.state, "files": list(outcome.files)}, text)

    def complain(self, values: dict[str, Any], error: CaptureError) -> None:
        """What went wrong, with that bundle or with all."""
        self.end_bar()
        error_lines(error, self.as_json, values)

    def say(self, values: dict[str, Any], text: str) -> None:
        """A line."""
        click.echo(json.dumps(values) if self.as_json else text)

    def progress(self, bundle: Any, here: int, size: int) -> None:
        """How much of it is here."""
        if self._bar is None and self.with_bar and size:
            self._bar = click.progressbar(length=size, label=bundle.receipt, file=sys.stderr)
            self._bar.__enter__()
        if self._bar:
            self._bar.update(here - self._bar.pos)

    def end_bar(self) -> None:
        """Leave the line of the progress bar."""
        if self._bar is not None:
            with suppress(OSError):
                self._bar.__exit__(None, None, None)
            self._bar = None

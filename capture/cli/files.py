"""The commands that work on files and need no service: clean photos, make a key."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from capture.cli.opening import read_passphrase
from capture.cli.output import FILE, PATH, REFUSED, json_option, print_result, reports_errors
from capture.errors import CaptureError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="IN... [OUT]")
@click.option("-o", "--out-dir", type=PATH, help="Clean many files, or folders of files, into this folder.")
@click.option("--max-bytes", type=click.IntRange(min=20_000), help="The largest JPEG to write.  [default: 5,177,344]")
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="How many to clean at the same time.")
@json_option
@reports_errors
def clean(paths: tuple[Path, ...], out_dir: Path | None, max_bytes: int | None, jobs: int, as_json: bool) -> None:
    """Clean photos: `capture clean IN OUT` for one, `capture clean IN... -o DIR` for many.

    Nothing is left but the picture: upright, its colours right, as a JPEG within the limit. With --json prints for each photo
    what was removed, by name.
    """
    from capture.photos import Preset
    from capture.photos.folder import clean_file

    preset = Preset(max_bytes=max_bytes) if max_bytes else Preset()
    if out_dir:
        _clean_many(list(paths), out_dir, preset, jobs, as_json)
        return
    if len(paths) != 2:
        raise click.UsageError("Give one photo and the file to write, or -o DIR for many.")
    report = clean_file(paths[0], paths[1], preset)
    values = {"source": str(paths[0]), "output": str(paths[1]), "report": json.loads(report.to_json())}
    print_result(as_json, values, _describe(str(paths[1]), values["report"]))


def _clean_many(paths: list[Path], out_dir: Path, preset: Any, jobs: int, as_json: bool) -> None:
    """Each result is printed as it comes; on a terminal after the progress bar, which it would break."""
    from capture.photos.folder import clean_folder, files_of

    files, refused, waiting = files_of(paths), 0, list[str]()
    show = waiting.append if sys.stdout.isatty() and sys.stderr.isatty() else click.echo
    try:
        with click.progressbar(
            clean_folder(files, out_dir, preset, jobs=jobs), length=len(files), label="Cleaning", file=sys.stderr
        ) as results:
            for result in results:
                refused += result.error is not None
                values, text = _told(result)
                show(json.dumps(values) if as_json else text)
    finally:
        for line in waiting:
            click.echo(line)
    if refused:
        sys.exit(REFUSED)


def _told(result: Any) -> tuple[dict[str, Any], str]:
    """What became of one of many files, for a program and for a person."""
    if result.report is None:
        error = {"code": result.error.code, "sentence": result.error.sentence}
        return {"source": str(result.source), "error": error}, f"refused {result.source}: {error['sentence']}"
    report = json.loads(result.report.to_json())
    values = {"source": str(result.source), "output": str(result.output), "report": report}
    return values, _describe(str(result.output), report)


def _describe(output: str, report: dict[str, Any]) -> str:
    removed = ", ".join(f"{item['name']} ({item['count']})" if item["count"] > 1 else item["name"] for item in report["removed"])
    detail = "every detail kept" if report["lossless"] else report["why"]
    return f"wrote {output}: {report['width']}×{report['height']}, {detail}; removed: {removed or 'nothing'}"


@click.command()
@click.option("--out", required=True, type=PATH, help="The identity file to write; it must not be there yet.")
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase, twice, and seal the file under it.")
@click.option("--passphrase-file", type=FILE, help="Seal the file under the passphrase in this file's first line.")
@click.option("--signer", metavar="ED25519:…", help="Pin the server's signing key in the file.")
@json_option
@reports_errors
def keygen(out: Path, passphrase: bool, passphrase_file: Path | None, signer: str | None, as_json: bool) -> None:
    """Make an age identity (post-quantum hybrid) and print its recipient."""
    from capture.sealing.age import seal_with_passphrase
    from capture.sealing.files import write_new
    from capture.sealing.keys import Identity, VerifyingKey, write_identity_file

    if passphrase and passphrase_file:
        raise click.UsageError("Give --passphrase or --passphrase-file, not both.")
    identity = Identity.generate()
    text = write_identity_file(identity, datetime.now(UTC), VerifyingKey.parse(signer) if signer else None).encode()
    if passphrase_file:
        text = seal_with_passphrase(text, read_passphrase(passphrase_file))
    elif passphrase:
        asked = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
        text = seal_with_passphrase(text, asked)
    try:
        write_new(out, text)
    except FileExistsError:
        raise CaptureError(f"{out} is there already.", hint="choose another name; a lost identity cannot be made again") from None
    except OSError as error:
        raise CaptureError(f"{out} cannot be written: {error.strerror}") from None
    values = {"identity_file": str(out), "recipient": str(identity.recipient), "fingerprint": identity.recipient.fingerprint}
    print_result(as_json, values, f"{identity.recipient}\nFingerprint: {identity.recipient.fingerprint}")

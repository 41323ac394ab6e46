"""The commands that work on files and need no service: open a bundle, clean photos, make a key."""

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from capture.cli.output import FILE, PATH, REFUSED, json_option, print_result, reports_errors
from capture.errors import BundleError, CaptureError
from capture.settings import passphrase_from_environment


@click.command("open")
@click.argument("bundle", type=FILE)
@click.option("--identity", required=True, type=FILE, help="The identity file, plain or under a passphrase.")
@click.option("--out", required=True, type=PATH, help="The folder to write the photos to.")
@click.option("--signer", metavar="ED25519:…", help="The server's signing key, if the identity file does not pin it.")
@click.option(
    "--passphrase-file", type=FILE, help="A file whose first line is the passphrase; else CAPTURE_PASSPHRASE, or it is asked for."
)
@json_option
@reports_errors
def open_bundle(bundle: Path, identity: Path, out: Path, signer: str | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Open a bundle: check the signature, the manifest, every count and hash, and write the photos as JPEG files."""
    from capture.sealing.bundle import open_bundle as opened_bundle
    from capture.sealing.bundle import write_opened
    from capture.sealing.keys import VerifyingKey

    found = _read_identity(identity, passphrase_file)
    pinned = VerifyingKey.parse(signer) if signer else found.signer
    if pinned is None:
        raise BundleError(
            "Nothing says which server must have signed this bundle.",
            code="signer-unknown",
            hint="give --signer with the key that `capture check` shows on the server, compared by phone",
        )
    with opened_bundle(bundle, found.identities, pinned) as opened:
        written = write_opened(opened, out)
        request = opened.request
    values: dict[str, Any] = {
        "receipt": request.receipt,
        "practice": request.practice.ods,
        "label": request.label,
        "reference": request.reference,
        "site": f"{request.side} {request.site}".strip(),
        "note": request.note,
        "consent": {"version": request.consent.version, "at": request.consent.at.isoformat()},
        "answers": dict(request.answers),
        "submitted_at": request.submitted_at.isoformat(),
        "signer": str(pinned),
        "photos": [{"path": str(photo.path), "part": photo.part, "view": photo.view, "new": photo.new} for photo in written],
    }
    lines = [f"Everything is as it was sent: {len(written)} photos, receipt {request.receipt}, signed by {pinned.fingerprint}"]
    lines += [f"{'wrote' if photo.new else 'was there'} {photo.path}" for photo in written]
    lines += [f"{question}: {answer}" for question, answer in request.answers.items() if not question.startswith("agreed ")]
    text = "\n".join(line if line.isprintable() else ascii(line) for line in lines)  # a patient's words must not move the cursor
    print_result(as_json, values, text)


def _read_identity(path: Path, passphrase_file: Path | None) -> Any:
    from capture.sealing.age import is_age, open_with_passphrase
    from capture.sealing.keys import parse_identity_file

    data = path.read_bytes()
    if is_age(data):
        data = open_with_passphrase(data, _passphrase(passphrase_file))
    try:
        return parse_identity_file(data.decode())
    except UnicodeDecodeError:
        raise BundleError(f"{path} is not an identity file.", hint="capture keygen --out FILE makes one") from None


def _passphrase(file: Path | None) -> str:
    if file:
        first_line, *_ = file.read_text("utf-8", "replace").splitlines() or [""]
        if not first_line or "\N{REPLACEMENT CHARACTER}" in first_line:
            raise CaptureError(f"{file} holds no passphrase.", hint="write it on the first line, as UTF-8 text")
        return first_line
    return passphrase_from_environment() or getpass.getpass("Passphrase: ")


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
        text = seal_with_passphrase(text, _passphrase(passphrase_file))
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

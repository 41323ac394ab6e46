"""`capture open`: what a practice does with a bundle in its hand, without the service."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from capture.cli.output import FILE, PATH, json_option, print_result, reports_errors
from capture.cli.sheets import fhir_of, pdf_of, write_sheet
from capture.errors import BundleError, CaptureError
from capture.settings import ROOT, passphrase_from_environment


@click.command("open")
@click.argument("bundle", type=FILE)
@click.option("--identity", required=True, type=FILE, help="The identity file, plain or under a passphrase.")
@click.option("--out", required=True, type=PATH, help="The folder to write the photos to.")
@click.option("--preset", metavar="NAME", help="Make the photos fit what a system takes: a name from config/presets.toml.")
@click.option("--pdf", "as_pdf", is_flag=True, help="Write one PDF with the photos as they are and their facts, not JPEG files.")
@click.option("--fhir", "as_fhir", is_flag=True, help="Write the photos as one FHIR R4 Bundle too, for a record system.")
@click.option("--photo", "numbers", type=click.IntRange(1, 99), multiple=True, help="Only this photo; may be given again.")
@click.option("--signer", metavar="ED25519:…", help="The server's signing key, if the identity file does not pin it.")
@click.option(
    "--passphrase-file", type=FILE, help="A file whose first line is the passphrase; else CAPTURE_PASSPHRASE, or it is asked for."
)
@json_option
@reports_errors
def open_bundle(
    bundle: Path,
    identity: Path,
    out: Path,
    preset: str | None,
    as_pdf: bool,
    as_fhir: bool,
    numbers: tuple[int, ...],
    signer: str | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Open a bundle: check the signature, the manifest, every count and hash, and write the photos as JPEG files or one PDF."""
    from capture.sealing.bundle import open_bundle as opened_bundle
    from capture.sealing.bundle import write_opened

    if as_pdf and preset:
        raise click.UsageError("A PDF holds the photos as they are: give --pdf or --preset, not both.")
    rule = preset_named(preset) if preset else None
    found = read_identity(identity, passphrase_file)
    pinned = pinned_signer(signer, found)
    with opened_bundle(bundle, found.identities, pinned) as opened, fitting(rule) as fit:
        photos = chosen_photos(opened.photos, numbers, rule)
        written = [] if as_pdf else write_opened(opened, out, photos, fit)
        pdf = write_sheet(out, pdf_of(opened, photos)) if as_pdf else None
        fhir = write_sheet(out, fhir_of(opened, photos)) if as_fhir else None
    values, files = values_of(opened.request, pinned), [(photo.path, photo.new) for photo in written]
    values["photos"] = [{"path": str(photo.path), "part": photo.part, "view": photo.view, "new": photo.new} for photo in written]
    for name, file in (("pdf", pdf), ("fhir", fhir)):
        if file:
            values[name] = {"path": str(file[0]), "new": file[1]}
            files.append(file)
    print_result(as_json, values, _told(opened.request, pinned, len(photos), files))


def pinned_signer(signer: str | None, found: Any) -> Any:
    """The server that must have signed: told by hand, or pinned in the identity file."""
    from capture.sealing.keys import VerifyingKey

    pinned = VerifyingKey.parse(signer) if signer else found.signer
    if pinned is None:
        raise BundleError(
            "Nothing says which server must have signed this bundle.",
            code="signer-unknown",
            hint="give --signer with the key that `capture check` shows on the server, compared by phone",
        )
    return pinned


def preset_named(name: str) -> Any:
    """The preset of that name; UsageError with those that there are."""
    from capture.domain.presets import load_presets

    presets = load_presets(ROOT / "config" / "presets.toml")
    if name not in presets:
        raise click.UsageError(f"There is no preset {name!r}; there are {', '.join(presets)}.")
    return presets[name]


def chosen_photos(photos: Any, numbers: tuple[int, ...], rule: Any) -> Any:
    """The photos with these numbers, or all; CaptureError where the preset does not take so many."""
    from capture.domain.presets import check_can_save

    if numbers and max(numbers) > len(photos):
        raise CaptureError(f"There is no photo {max(numbers)}: the bundle has {len(photos)}.", code="no-such-photo")
    chosen = [photo for number, photo in enumerate(photos, 1) if not numbers or number in numbers]
    if rule:
        check_can_save(rule, len(chosen))
    return chosen


@contextmanager
def fitting(rule: Any) -> Iterator[Callable[[bytes], bytes]]:
    """What makes a photo fit: it stays as it is if it does already, otherwise it is made anew in a process of its own."""
    from capture.photos import Cleaner, Preset

    cleaner = Cleaner(workers=1)

    def fit(jpeg: bytes) -> bytes:
        if rule is None or len(jpeg) < rule.under:
            return jpeg
        return cleaner.clean(jpeg, Preset(max_bytes=rule.under - 1), preview=False).jpeg

    try:
        yield fit
    finally:
        cleaner.close()


def values_of(request: Any, pinned: Any) -> dict[str, Any]:
    """What was asked and said, for a program."""
    return {
        "receipt": request.receipt,
        "practice": request.practice.ods,
        "label": request.label,
        "reference": request.reference,
        "nhs_number": request.nhs_number,
        "site": f"{request.side} {request.site}".strip(),
        "note": request.note,
        "consent": {"version": request.consent.version, "at": request.consent.at.isoformat()},
        "answers": dict(request.answers),
        "submitted_at": request.submitted_at.isoformat(),
        "signer": str(pinned),
    }


def _told(request: Any, pinned: Any, count: int, files: list[tuple[Path, bool]]) -> str:
    """The same for a person."""
    lines = [f"Everything is as it was sent: {count} photos, receipt {request.receipt}, signed by {pinned.fingerprint}"]
    lines += [f"{'wrote' if new else 'was there'} {path}" for path, new in files]
    lines += [f"{question}: {answer}" for question, answer in request.answers.items() if not question.startswith("agreed ")]
    return "\n".join(line if line.isprintable() else ascii(line) for line in lines)  # a patient's words must not move the cursor


def read_identity(path: Path, passphrase_file: Path | None) -> Any:
    """What an identity file holds, which may be under a passphrase."""
    from capture.sealing.age import is_age, open_with_passphrase
    from capture.sealing.keys import parse_identity_file

    data = path.read_bytes()
    if is_age(data):
        data = open_with_passphrase(data, read_passphrase(passphrase_file))
    try:
        return parse_identity_file(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BundleError(f"{path} is not an identity file.", hint="capture keygen --out FILE makes one") from None


def read_passphrase(file: Path | None) -> str:
    """The passphrase of an identity file: from this file, from the environment, or from the keyboard."""
    if file:
        first_line, *_ = file.read_text("utf-8-sig", "replace").splitlines() or [""]
        if not first_line or "\N{REPLACEMENT CHARACTER}" in first_line:
            raise CaptureError(f"{file} holds no passphrase.", hint="write it on the first line, as UTF-8 text")
        return first_line
    try:
        return passphrase_from_environment() or getpass.getpass("Passphrase: ")
    except EOFError:
        raise CaptureError(
            "The identity is under a passphrase, and nobody is here to ask.", hint="give --passphrase-file"
        ) from None

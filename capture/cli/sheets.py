"""Photos of a bundle and what is known of them in one file: a PDF, or a FHIR Bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from capture.domain.identifiers import show_nhs_number
from capture.errors import BundleError


def pdf_of(opened: Any, photos: Any) -> tuple[str, Iterator[bytes]]:
    """These photos with their facts as one PDF: its name, and its bytes. Raises BundleError."""
    from capture.photos.pdf import write_pdf

    try:
        return _name(opened, photos, "pdf"), write_pdf(_Sheets(opened, photos))
    except ValueError:
        raise BundleError("A photo in the bundle is not a JPEG picture.", code="bundle-altered") from None


@dataclass(frozen=True)
class _Sheets:
    """What stands in the PDF, each photo opened as it is come to."""

    opened: Any
    photos: Any

    def __iter__(self) -> Iterator[Any]:
        from capture.photos.pdf import Sheet

        request = self.opened.request
        total = [each.part for each in request.photos]
        yield Sheet("Photos from a patient", tuple(_about_request(request)))
        for photo in self.photos:
            title = f"{total.index(photo.part) + 1} of {len(total)}: {photo.title}"
            yield Sheet(title, tuple(_about_photo(photo)), self.opened.read(photo))


def fhir_of(opened: Any, photos: Any) -> tuple[str, Iterator[bytes]]:
    """These photos as one FHIR Bundle: its name, and its bytes. Raises BundleError."""
    from capture.sealing.fhir import write_fhir

    return _name(opened, photos, "fhir.json"), write_fhir(opened.request, photos, opened.read)


def write_sheet(folder: Path, sheet: tuple[str, Iterator[bytes]]) -> tuple[Path, bool]:
    """Write such a file: its path, and whether it was not there already. Another of that name is never overwritten."""
    from capture.sealing.files import write_new

    path, data = folder / sheet[0], b"".join(sheet[1])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        write_new(path, data)
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            kind = "FHIR file" if path.suffix == ".json" else "PDF"
            raise BundleError(f"{path.name} is there already and is not this {kind}.", code="file-exists") from None
        return path, False
    return path, True


def _name(opened: Any, photos: Any, ending: str) -> str:
    """What one file with these photos is called."""
    request = opened.request
    stem = request.file_name(request.photos[0]).rsplit("_", 2)[0]
    return f"{stem}_{len(photos)}-photo{'s' if len(photos) != 1 else ''}.{ending}"


def _about_request(request: Any) -> Iterator[str]:
    rows = {
        "Patient": request.label,
        "Reference": request.reference,
        "NHS number": show_nhs_number(request.nhs_number),
        "Photos of": f"{request.side} {request.site}".strip(),
        "Note from the patient": request.note,
        "Sent": _when(request.submitted_at),
        "Asked for by": f"{request.asked_by}, {_when(request.asked_at)}",
        "Receipt": request.receipt,
        "Agreed": f"{_when(request.consent.at)}, to wording {request.consent.version}",
        **request.answers,
    }
    return (f"{term[:1].upper()}{term[1:]}: {value}" for term, value in rows.items() if value)


def _about_photo(photo: Any) -> Iterator[str]:
    taken = f"taken {photo.taken_at.replace('T', ' ')} by the camera's clock" if photo.taken_at else "no time of taking"
    yield f"{photo.width:,} × {photo.height:,} pixels, {photo.size:,} bytes, {taken}."
    if photo.hints:
        anyway = " They sent it all the same." if photo.sent_anyway else ""
        yield f"The patient was told: {', '.join(photo.hints)}.{anyway}"
    names = ", ".join(f"{each.name} ({each.count})" for each in photo.removed)
    yield f"Removed from the file: {names}." if names else "The file held nothing but the picture."


def _when(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

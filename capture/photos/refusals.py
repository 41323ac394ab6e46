"""Why a photo is refused: a stable code for programs, a sentence for the patient."""

from capture.errors import PhotoRefused

_INSTEAD = "Choose a photo taken with a phone or camera."

REFUSALS = {
    "empty": f"This file is empty. {_INSTEAD}",
    "not-a-picture": f"This file is not a photo. {_INSTEAD}",
    "kind-gif": f"This is a GIF picture, which we cannot take. {_INSTEAD}",
    "kind-bmp": f"This is a BMP picture, which we cannot take. {_INSTEAD}",
    "kind-tiff": f"This is a TIFF picture, which we cannot take. {_INSTEAD}",
    "kind-raw": "This is a raw camera file, which we cannot take. Choose the JPEG copy of the photo instead.",
    "kind-svg": f"This is a drawing, not a photo. {_INSTEAD}",
    "kind-pdf": f"This is a PDF document, not a photo. {_INSTEAD}",
    "kind-eps": f"This is a PostScript document, not a photo. {_INSTEAD}",
    "kind-video": "This is a video. Take a photo instead.",
    "kind-other": f"We cannot take this kind of picture. {_INSTEAD}",
    "jpeg-kind": f"This photo is stored in a rare way that we cannot read. {_INSTEAD}",
    "truncated": "Part of this photo is missing. Try again, or choose another photo.",
    "damaged": "This photo is damaged and cannot be read. Try again, or choose another photo.",
    "too-many-bytes": "This file is too large. Choose a smaller photo.",
    "too-many-pixels": "This picture is too large for us to read. Take it again with the normal camera setting.",
    "too-complex": f"This file is not like a photo from a phone or camera. {_INSTEAD}",
    "too-slow": "This photo took too long to check. Choose another photo, or take it again.",
    "cannot-fit": "This picture cannot be made small enough to send. Choose another photo.",
    "upload-too-long": "More came than your phone said it would send. Send this photo again.",
    "not-clean": "We could not make sure that only the picture is left in this photo. Choose another photo.",
}


def refused(code: str) -> PhotoRefused:
    """The error to raise for one of `REFUSALS`."""
    return PhotoRefused(REFUSALS[code], code=code)

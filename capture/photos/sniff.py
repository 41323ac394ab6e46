"""The kind of a file, told from its first bytes. Names and media types are never looked at."""

import re

from capture.photos.refusals import refused

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
IMAGE_BRANDS = {b"mif1", b"msf1", b"mif2"}

# What is recognised only to be refused with the right sentence. Order matters: the first match wins.
_REFUSED = (
    (re.compile(rb"GIF8[79]a"), "kind-gif"),
    (re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL), "kind-bmp"),
    (re.compile(rb"II\*\0.{4}CR|II(?:U\0|RO|RS)|MMOR|FUJIFILMCCD-RAW|FOVb|\0MRM", re.DOTALL), "kind-raw"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), "kind-tiff"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "kind-eps"),
    (re.compile(rb".{0,1023}%PDF-", re.DOTALL), "kind-pdf"),
    (re.compile(rb"\x1aE\xdf\xa3|RIFF.{4}AVI |\0\0\x01[\xb3\xba]|FLV\x01|OggS", re.DOTALL), "kind-video"),
    (re.compile(rb"[\xef\xbb\xbf\s]*<(?:svg|(?:\?xml|!--|!DOCTYPE svg).{0,2000}?<svg)", re.DOTALL | re.I), "kind-svg"),
    (
        re.compile(rb"8BPS|\xff\x0a|\0\0\0\x0cJXL |\0\0\0\x0cjP  |\xff\x4f\xff\x51|\0\0\x01\0|.{128}DICM|qoif", re.DOTALL),
        "kind-other",
    ),
)


def sniff(untrusted_bytes: bytes) -> str:
    """ "jpeg", "png", "webp", "heic" or "avif"; anything else raises PhotoRefused with its own code."""
    head = untrusted_bytes[:4096]
    if not head:
        raise refused("empty")
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _base_media(head)
    for pattern, code in _REFUSED:
        if pattern.match(head):
            raise refused(code)
    raise refused("not-a-picture")


def _base_media(head: bytes) -> str:
    """Files of ISO/IEC 14496-12 differ only in their brands: the major one first, then the compatible ones."""
    size = min(int.from_bytes(head[:4], "big"), 512)
    major, compatible = head[8:12], {head[at : at + 4] for at in range(16, size - 3, 4)}
    if major in AVIF_BRANDS or (major in IMAGE_BRANDS and compatible & AVIF_BRANDS):
        return "avif"
    if major in HEIC_BRANDS or (major in IMAGE_BRANDS and compatible & HEIC_BRANDS):
        return "heic"
    if major == b"crx ":
        raise refused("kind-raw")
    raise refused("kind-other" if major in IMAGE_BRANDS else "kind-video")

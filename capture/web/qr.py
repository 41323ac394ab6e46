"""A link as a QR code."""

import segno
from markupsafe import Markup


def qr_svg(link: str) -> Markup:
    """An SVG element for a page, black on white, with the quiet zone that readers need."""
    drawing = segno.make_qr(link, error="m").svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None, light="#fff")
    return Markup(drawing)  # noqa: S704 - drawn by segno from a link of our own

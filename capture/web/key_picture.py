"""A key's fingerprint as a picture: two keys that differ look different at a glance. Nothing in it is secret."""

import hashlib

from markupsafe import Markup

_COLOURS = ("#003087", "#007f3b", "#d5281b", "#7c2855", "#330072", "#ad4d00", "#00667a", "#212b32")
_HALF, _ROWS = 4, 8


def picture_of(fingerprint: str) -> Markup:
    """An SVG element: eight by eight squares, the right half the left one's mirror image, in two colours of eight."""
    digest = hashlib.sha256(fingerprint.encode()).digest()
    first = digest[0] % len(_COLOURS)
    second = (first + 1 + digest[1] % (len(_COLOURS) - 1)) % len(_COLOURS)
    squares = []
    for number, byte in enumerate(digest[-_HALF * _ROWS // 2 :]):
        for half in (0, 1):
            row, column = divmod(number * 2 + half, _HALF)
            drawn = (byte >> 4 * half) & 3
            if drawn:
                colour = _COLOURS[first if drawn < 3 else second]
                squares += [f'<path fill="{colour}" d="M{x} {row}h1v1h-1z"/>' for x in (column, 2 * _HALF - 1 - column)]
    inside = "".join(squares)
    return Markup(  # noqa: S704 - drawn here from a digest
        f'<svg class="app-key__picture" viewBox="0 0 {2 * _HALF} {_ROWS}" width="64" height="64" aria-hidden="true" '
        f'focusable="false" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h8v8h-8z"/>{inside}</svg>'
    )

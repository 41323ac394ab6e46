"""Figures for blur, light and size, from a small picture of the whole: what hints are made of, never a clinical statement.

static/js/patient/quality.js measures the same on the phone, so every step here is one that a canvas can follow.
"""

from PIL import Image, ImageFilter

LONG_SIDE = 400
"""Pixels on the long side of the picture that is measured; a smaller one is measured as it is."""
NOISE = 60
"""Energy of coarse detail below which there is too little to tell blur from smooth skin; in the unit of `_energies`."""
MIDDLE_GREY, FLOOR = 128, 32
"""Levels of luma: where detail counts as it is, and what is added to all, so that noise in deep shadow does not count for much."""
BURNT = 250
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_GRID, _FINER = 4, 16
_SQUARES = [_FINER * (level - 128) ** 2 for level in range(256)]


def measure(small: Image.Image, width: int, height: int) -> dict[str, float]:
    """Measure `small` (the whole at about an eighth of its size, at least LONG_SIDE long); `width` and `height` are the whole's.

    sharpness   in the part of the middle with the most fine detail: its fine detail as a share of its coarse (see _sharpness)
    light       95th percentile of luma, 0 to 255
    clipped     share of the middle that is burnt out to white, 0 to 1
    megapixels  of the whole
    """
    grey = _to_scale(small if small.mode == "L" else small.convert("L"))
    middle = _middle(grey).histogram()
    return {
        "sharpness": round(_sharpness(grey), 3),
        "light": float(_percentile(grey.histogram(), 0.95)),
        "clipped": round(sum(middle[BURNT:]) / sum(middle), 4),
        "megapixels": round(width * height / 1e6, 2),
    }


def _to_scale(grey: Image.Image) -> Image.Image:
    """`grey` at LONG_SIDE: halved while that is exact averaging, then brought to size by a triangle filter."""
    while max(grey.size) >= 2 * LONG_SIDE:
        grey = grey.reduce(2)
    longest = max(grey.size)
    if longest <= LONG_SIDE:
        return grey
    width, height = (max(1, (2 * side * LONG_SIDE + longest) // (2 * longest)) for side in grey.size)
    return grey.resize((width, height), Image.Resampling.BILINEAR)


def _sharpness(grey: Image.Image) -> float:
    """Energy of detail one pixel wide over that of detail two pixels wide, where there is most of the first.

    Two scales, because the energy alone also tells a rough subject from a smooth one; the sharpest part, because most of a photo of
    skin is smooth (FACTS, cheap measures). NOISE keeps sensor noise on smooth skin from passing for detail.
    """
    fine, coarse = _energies(grey), _energies(grey.reduce(2))
    if not fine or not coarse:
        return 0.0
    best = fine.index(max(fine))
    return fine[best] / (coarse[best] + NOISE)


def _energies(grey: Image.Image) -> list[float]:
    """Mean square of the Laplacian in each of the 16 parts of the middle, row by row; none where there is no room for them.

    Relative to how bright the part is: the same relief has less contrast in levels on dark skin than on light.
    """
    middle = _middle(grey)
    across, down = (middle.width - 2) // _GRID, (middle.height - 2) // _GRID
    if across < 1 or down < 1:
        return []
    inner = (1, 1, 1 + _GRID * across, 1 + _GRID * down)  # Pillow leaves the border unfiltered
    squares = middle.filter(_LAPLACIAN).crop(inner).point(_SQUARES, "I").reduce((across, down))
    levels = middle.crop(inner).reduce((across, down)).tobytes()
    energies = memoryview(squares.tobytes()).cast("i")
    return [
        energy / _FINER * ((MIDDLE_GREY + FLOOR) / (level + FLOOR)) ** 2 for energy, level in zip(energies, levels, strict=True)
    ]


def _middle(grey: Image.Image) -> Image.Image:
    """Three quarters of each side: what lies at the edge is seldom what was asked for."""
    width, height = grey.size
    return grey.crop((width // 8, height // 8, width - width // 8, height - height // 8))


def _percentile(histogram: list[int], share: float) -> int:
    """The highest level that at least `1 - share` of the pixels reach."""
    wanted, level, above = sum(histogram) * (1 - share), 255, histogram[255]
    while level and above < wanted:
        level -= 1
        above += histogram[level]
    return level

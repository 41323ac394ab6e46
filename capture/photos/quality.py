"""Figures for blur, light and size, from a small grey picture: hints for the patient, never a clinical statement."""

import operator

from PIL import Image, ImageFilter

_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_GRID = 4
_LEVELS = range(256)
_SQUARES = [level * level for level in _LEVELS]


def measure(small: Image.Image, width: int, height: int) -> dict[str, float]:
    """Measure `small` (a picture of the whole at about an eighth of its size); `width` and `height` are the whole's.

    sharpness   variance of the Laplacian in the sharpest sixteenth of the middle (0 is flat; skin in focus is above 20)
    light       95th percentile of luma, 0 to 255 (below 90 is dark)
    clipped     share of pixels burnt out to white, 0 to 1
    megapixels  of the whole
    """
    grey = small if small.mode == "L" else small.convert("L")
    count = grey.width * grey.height
    histogram = grey.histogram()
    light, above = 255, 0
    while light > 0 and (above := above + histogram[light]) < count * 0.05:
        light -= 1
    return {
        "sharpness": round(_sharpness(grey), 1),
        "light": float(light),
        "clipped": round(sum(histogram[250:]) / count, 4),
        "megapixels": round(width * height / 1e6, 2),
    }


def _sharpness(grey: Image.Image) -> float:
    """The sharpest part decides, because smooth skin around a sharp mole is smooth (FACTS, cheap measures)."""
    width, height = grey.size
    middle = grey.crop((width // 8, height // 8, width - width // 8, height - height // 8))
    if min(middle.size) < 4 * _GRID:
        return _variance(middle.filter(_LAPLACIAN)) if min(middle.size) >= 3 else 0.0
    edges = middle.filter(_LAPLACIAN)
    across, down = edges.width // _GRID, edges.height // _GRID
    return max(
        _variance(edges.crop((x * across, y * down, (x + 1) * across, (y + 1) * down))) for x in range(_GRID) for y in range(_GRID)
    )


def _variance(grey: Image.Image) -> float:
    histogram, count = grey.histogram(), grey.width * grey.height
    mean: float = sum(map(operator.mul, histogram, _LEVELS)) / count
    squares: float = sum(map(operator.mul, histogram, _SQUARES)) / count
    return squares - mean * mean

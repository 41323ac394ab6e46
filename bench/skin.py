"""Drawn skin for bench/quality.py, by itself: a sheet of one frame of each tone in .venv/samples/skin.png.

It has what a lens sees of skin at arm's length: mottling and furrows of several widths, hairs, on most a mark, light from one side,
sheen that is as strong on every tone (it comes from the surface, not from the pigment), on a third a limb before a plain wall. In
linear light; then a camera: its exposure, set by itself half to all of the way to mid-grey, or by hand; the softness of its lens;
its noise. Tones: the ten of the Monk Skin Tone scale, as sRGB.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from capture.settings import ROOT

TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
SIZE = WIDTH, HEIGHT = 640, 480
MID_GREY = 118
Light = NDArray[Any]
"""Rows of pixels, or rows of pixels of three colours, in linear light or in shares of it."""


@dataclass(frozen=True)
class Skin:
    """One frame: its tone from 0 to 9, and its number, which decides all that is left to chance."""

    tone: int
    number: int


def to_linear(levels: Light) -> Light:
    """sRGB levels, 0 to 255, as linear light, 0 to 1 (IEC 61966-2-1)."""
    share = levels / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def to_levels(light: Light) -> NDArray[np.uint8]:
    """Linear light as sRGB levels; what is beyond white is burnt out."""
    held = np.clip(light, 0, 1)
    share = np.where(held <= 0.0031308, 12.92 * held, 1.055 * held ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * share), np.uint8)


def darkened(im: Image.Image, stops: float) -> Image.Image:
    """A picture with its light multiplied by two to the power of `stops`."""
    table = to_levels(to_linear(np.arange(256.0)) * 2.0**stops)
    return im.point(list(table) * 3)


def draw_skin(skin: Skin) -> tuple[Image.Image, Image.Image]:
    """The frame as a camera takes it that sets itself, and as one does that is set by hand to the light."""
    chance = np.random.default_rng([skin.tone, skin.number])
    tone = np.array([int(TONES[skin.tone][at : at + 2], 16) for at in (0, 2, 4)], float)
    light = _limb(chance, _surface(chance, to_linear(tone)))
    middle = float((light[HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4] @ np.array([0.2126, 0.7152, 0.0722])).mean())
    wanted = float(to_linear(np.array(float(MID_GREY)))) / middle
    own, automatic = chance.normal(0, 0.2), chance.uniform(0.5, 1)
    noise = chance.uniform(1, 3.5)
    by_itself, by_hand = 0.75 * (wanted / 0.75) ** automatic, 0.75
    return _taken(chance, light * by_itself * 2**own, noise), _taken(chance, light * by_hand * 2**own, noise)


def _field(chance: np.random.Generator, width: float) -> Light:
    """Smooth random values, mean 0 and variance about 1, whose bumps are about so many pixels wide."""
    coarse = chance.standard_normal((int(HEIGHT / width) + 2, int(WIDTH / width) + 2)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC))
    return np.asarray(smooth / smooth.std(), np.float32)


def _surface(chance: np.random.Generator, tone: Light) -> Light:
    """Skin that fills the frame, lit from one side."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    strengths = {1.3: 0.04, 2.5: 0.05, 5: 0.05, 16: 0.05, 120: 0.06}
    texture = sum((strength * _field(chance, width) for width, strength in strengths.items()), np.zeros((HEIGHT, WIDTH)))
    own = tone * np.exp(chance.normal(0, 0.03, 3))
    light = own * np.exp(chance.uniform(0.5, 1.3) * texture)[..., None]
    if chance.random() < 0.75:
        inside = _mark(chance, rows, columns)[..., None]
        colour = chance.uniform(0.45, 0.85) * np.exp(np.array([0.12, -0.08, -0.04]) * chance.uniform(-0.5, 1.5))
        light *= 1 + inside * (colour * np.exp(0.1 * _field(chance, 3.5))[..., None] - 1)
    hair = _hairs(chance)[..., None]
    light = light * (1 - hair) + np.minimum(light * 0.35, 0.02) * hair
    slope = 1 + chance.uniform(-0.35, 0.35) * (2 * columns / WIDTH - 1) + chance.uniform(-0.3, 0.3) * (2 * rows / HEIGHT - 1)
    sheen = np.clip(_field(chance, 100) - 1, 0, None) * chance.uniform(0, 0.035)
    glints = np.clip(_field(chance, 2.5) - 1.5, 0, None) * chance.uniform(0, 0.01)
    return np.asarray(light * slope[..., None] + (sheen + glints)[..., None], np.float32)


def _mark(chance: np.random.Generator, rows: Light, columns: Light) -> Light:
    """Where the mark is, 0 to 1: not quite round, its edge sharp or soft."""
    across, down = columns - WIDTH * chance.uniform(0.35, 0.65), rows - HEIGHT * chance.uniform(0.35, 0.65)
    angle, radius = np.arctan2(down, across), chance.uniform(12, 90)
    outline = radius * (1 + 0.12 * np.sin(3 * angle + chance.uniform(0, 6)) + 0.07 * np.sin(7 * angle + chance.uniform(0, 6)))
    beyond = np.hypot(across, down * chance.uniform(0.8, 1.3)) - outline
    inside: Light = 1 / (1 + np.exp(np.clip(beyond / chance.uniform(1, 10), -50, 50)))
    return inside


def _hairs(chance: np.random.Generator) -> Light:
    """Where hairs are, 0 to 1; on a third of all skin there is none that shows."""
    drawn = Image.new("L", SIZE)
    draw = ImageDraw.Draw(drawn)
    for _ in range(int(chance.choice([0, 0, 6, 25, 70]))):
        x, y, angle, bend = chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT), chance.normal(1.2, 0.5), chance.normal(0, 0.004)
        steps = np.linspace(0, chance.uniform(25, 110), 12)
        points = [(x + step * np.cos(angle + bend * step), y + step * np.sin(angle + bend * step)) for step in steps]
        draw.line(points, fill=int(chance.uniform(120, 230)))
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(0.6)), np.float32) / 255


def _limb(chance: np.random.Generator, light: Light) -> Light:
    """A third of the frames show a limb across them before a plain wall."""
    if chance.random() > 1 / 3:
        return light
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    middle = HEIGHT * chance.uniform(0.4, 0.6) + (columns - WIDTH / 2) * chance.uniform(-0.3, 0.3)
    half = HEIGHT * chance.uniform(0.22, 0.34)
    away = np.abs(rows - middle) / half
    inside = (1 / (1 + np.exp(np.clip((away - 1) * half / 1.5, -50, 50))))[..., None]
    wall = chance.uniform(0.05, 0.75) * np.exp(chance.normal(0, 0.05, 3)) * np.exp(0.03 * _field(chance, 25))[..., None]
    turning = np.sqrt(np.clip(1 - 0.8 * np.minimum(away, 1) ** 2, 0, 1))[..., None]
    return np.asarray(light * turning * inside + wall * (1 - inside), np.float32)


def _taken(chance: np.random.Generator, light: Light, noise: float) -> Image.Image:
    soft = np.asarray(Image.fromarray(to_levels(light)).filter(ImageFilter.GaussianBlur(0.45)), np.float32)
    return Image.fromarray(np.clip(soft + chance.standard_normal((HEIGHT, WIDTH, 1)) * noise + 0.5, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    sheet = Image.new("RGB", (len(TONES) * WIDTH // 4, 2 * HEIGHT // 4))
    for tone in range(len(TONES)):
        for row, frame in enumerate(draw_skin(Skin(tone, 1))):
            sheet.paste(frame.resize((WIDTH // 4, HEIGHT // 4)), (tone * WIDTH // 4, row * HEIGHT // 4))
    path = ROOT / ".venv" / "samples" / "skin.png"
    path.parent.mkdir(exist_ok=True)
    sheet.save(path)
    print(f"{path.relative_to(ROOT)}: one frame of each tone, above by a camera that sets itself, below by one set by hand")

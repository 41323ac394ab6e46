"""How well blur and light are told, and how often a good photo gets a hint, by skin tone.

Photos that are good are made worse by known amounts and go through the server's own cleaning, which measures them; the thresholds
are those of config/quality.toml. Printed are the AUC (the chance that a worse photo has the worse figure) and the share that gets
the hint. TrueImage 2.0 (arXiv 2209.09105) has 0.84 for blur and 0.70 for light, against what clinicians said of patients' photos:
another and harder test, so that to be above it here is the least.

Two materials. Real photos, of whatever: from the sources of pillow and pillow-heif (`make samples`; MIT-CMU and BSD licences) and
from scikit-image's wheel (BSD; one picture is of a person), fetched into .venv/samples, never kept here. And skin that is drawn
(bench/skin.py) in the ten tones of the Monk scale, for want of real photos of skin that are alike in all but its tone.
"""

import io
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageFilter, ImageOps
from skin import TONES, Skin, darkened, draw_skin

from capture.domain.quality import hints, load_thresholds
from capture.photos import Preset
from capture.photos.clean import clean
from capture.settings import ROOT

SAMPLES = ROOT / ".venv" / "samples"
SCIKIT_IMAGE = "scikit-image==0.26.0"
REAL = {
    "pillow-*.tar.gz": "exif-72dpi-int.jpg exif_gps_typeerror.jpg flower.jpg frozenpond.mpo fujifilm.mpo iptc.jpg "
    "junk_jpeg_header.jpg sugarshack.mpo xmp_test.jpg",
    "pillow_heif-*.tar.gz": "arrow.heic cat.hif empty_icc.heic invalid_id.heic bird_burst.heic stereo_1200x800.heic pug.heic "
    "spatial_photo.heic aux_YCbCr.heic guitar_cw90.hif xiaomi.heic",
    "scikit_image-*.whl": "astronaut.png camera.png chelsea.png coffee.png coins.png motorcycle_left.png rocket.jpg",
}
"""Photos that were looked at and found sharp, lit and whole, by the archive they are in."""
FRAMES = 20
LARGE = Preset(max_bytes=100_000_000)
THRESHOLDS = load_thresholds(ROOT / "config" / "quality.toml")
PEERS = {"blurred": 0.84, "light": 0.70}
Change = Callable[[Image.Image], Image.Image]
Figures = dict[str, float]


def blur(pixels: float) -> Change:
    """Out of focus: a Gaussian of so many pixels on a long side of 1,024."""
    return lambda im: im.filter(ImageFilter.GaussianBlur(pixels * max(im.size) / 1024))


def motion(pixels: int) -> Change:
    """Moved while it was taken: the mean along a slanting line of so many pixels on a long side of 1,024."""

    def moved(im: Image.Image) -> Image.Image:
        levels, length = np.asarray(im, np.float32), max(2, round(pixels * max(im.size) / 1024))
        steps = np.linspace(-length / 2, length / 2, length + 1)
        total = sum((np.roll(levels, (round(step * 0.5), round(step * 0.87)), (0, 1)) for step in steps), np.zeros_like(levels))
        return Image.fromarray((total / len(steps)).astype(np.uint8))

    return moved


def stops(count: float) -> Change:
    """Lit by so many stops more or less."""
    return lambda im: darkened(im, count)


def noisy(change: Change, sigma: float = 3) -> Change:
    """Changed, and then with a sensor's noise of so many levels on a long side of 1,024."""

    def noised(im: Image.Image) -> Image.Image:
        levels = np.asarray(change(im), np.float32)
        grain = np.random.default_rng(1).standard_normal((*levels.shape[:2], 1)) * sigma * (max(im.size) / 1024) ** 0.5
        return Image.fromarray(np.clip(levels + grain + 0.5, 0, 255).astype(np.uint8))

    return noised


BLURS = {f"blur {pixels:g} px": blur(pixels) for pixels in (0.8, 1.5, 2, 3, 5)}
MOVES = {f"motion {pixels} px": motion(pixels) for pixels in (9, 15, 25)}
NOISES = {f"{name}, noise": noisy(change) for name, change in {**BLURS, **MOVES}.items() if name in {"blur 3 px", "motion 25 px"}}
LESS = {f"{-count:+g} stops": stops(-count) for count in (1, 2, 3)}
MORE = {f"{count:+g} stops": stops(count) for count in (1, 2, 3)}
CHANGES: dict[str, Change] = {"as it is": lambda im: im, **BLURS, **MOVES, **NOISES, **LESS, **MORE}


def fetch() -> None:
    """The archives, each by its pinned version; without them the bench goes on with what is drawn."""
    if not list(SAMPLES.glob("pillow_heif-*.tar.gz")):
        subprocess.run(["make", "--silent", "samples"], cwd=ROOT, check=False)
    if not list(SAMPLES.glob("scikit_image-*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(SAMPLES), SCIKIT_IMAGE], check=False)


def members(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The files of an archive that have one of these names."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for path in wheel.namelist():
                if (name := path.rpartition("/")[2]) in names:
                    yield name, wheel.read(path)
        return
    with tarfile.open(archive) as source:
        for member in source:
            name = member.name.rpartition("/")[2]
            if name in names and (file := source.extractfile(member)):
                yield name, file.read()


def real_photos() -> dict[str, Image.Image]:
    """Upright, in colour, at most 800 pixels."""
    found = {}
    for pattern, names in REAL.items():
        for archive in sorted(SAMPLES.glob(pattern))[-1:]:
            for name, data in members(archive, names.split()):
                im = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
                im.thumbnail((800, 800), Image.Resampling.BOX)
                found[name] = im
    return found


def measured(im: Image.Image) -> Figures:
    """What the server finds in it."""
    buffer = io.BytesIO()
    im.save(buffer, "JPEG", quality=90)
    return clean(buffer.getvalue(), LARGE, hashes=False).report.quality


def measured_each(im: Image.Image) -> dict[str, Figures]:
    """The figures of a photo after each change."""
    return {name: measured(change(im)) for name, change in CHANGES.items()}


def measured_skin(tone: int) -> list[tuple[dict[str, Figures], Figures]]:
    """For each frame of a tone: the figures of what an automatic camera gives, and of what one that is set by hand does."""
    frames = [draw_skin(Skin(tone, number)) for number in range(FRAMES)]
    return [(measured_each(automatic), measured(by_hand)) for automatic, by_hand in frames]


def auc(worse: Sequence[float], good: Sequence[float]) -> float:
    """The chance that one of the worse has the lower figure; a tie counts half."""
    low, high = np.asarray(worse)[:, None], np.asarray(good)[None]
    return float((low < high).mean() + (low == high).mean() / 2)


def table(title: str, photos: Sequence[Mapping[str, Figures]]) -> None:
    """AUC and share of hints for each change, and the mean of each kind beside its peer."""
    print(f"\n{title}\n  {'':24} {'AUC':>6} {'hint':>6}")
    good = [photo["as it is"] for photo in photos]
    means: dict[str, list[float]] = {"blurred": [], "light": []}
    for changes, code, figure, sign, kind in (
        ({**BLURS, **MOVES, **NOISES}, "blurred", "sharpness", 1, "blurred"),
        (LESS, "dark", "light", 1, "light"),
        (MORE, "bright", "clipped", -1, "light"),
    ):
        for name in changes:
            worse = [photo[name] for photo in photos]
            score = auc([sign * one[figure] for one in worse], [sign * one[figure] for one in good])
            told = np.mean([code in hints(one, THRESHOLDS) for one in worse])
            means[kind].append(score)
            print(f"  {name:24} {score:6.2f} {told:6.0%}")
    for kind, scores in means.items():
        mean, peer = float(np.mean(scores)), PEERS[kind]
        print(f"  {kind + ', mean of these':24} {mean:6.2f}        {mean / peer:.2f} × TrueImage 2.0 ({peer:.2f})")
    print(f"  {'good, but any hint':24} {'':6} {np.mean([bool({*hints(one, THRESHOLDS)} - {'small'}) for one in good]):6.0%}")


def false_hints(title: str, by_tone: Sequence[Sequence[Figures]]) -> None:
    """How many good frames of each tone get which hint."""
    print(f"  {title:24}" + "".join(f"{tone:>6}" for tone in range(1, len(TONES) + 1)))
    for code in ("blurred", "dark", "bright"):
        shares = [np.mean([code in hints(one, THRESHOLDS) for one in frames]) for frames in by_tone]
        print(f"    {code:22}" + "".join(f"{share:6.0%}" for share in shares))


def main() -> None:
    """Print every table."""
    warnings.simplefilter("ignore")  # of pictures made to be odd
    pillow_heif.register_heif_opener()
    fetch()
    photos = real_photos()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        skin = list(pool.map(measured_skin, range(len(TONES))))
        if photos:
            table(f"{len(photos)} real photos of many things", list(pool.map(measured_each, photos.values())))
        else:
            print("the real photos cannot be fetched just now: `make samples` says why")
    table(f"{FRAMES * len(TONES)} frames of drawn skin", [one for frames in skin for one, _ in frames])
    automatic = [[one["as it is"] for one, _ in frames] for frames in skin]
    by_hand = [[one for _, one in frames] for frames in skin]
    print(f"\nGood frames of drawn skin that get a hint, of {FRAMES} in each tone")
    false_hints("the camera sets itself", automatic)
    false_hints("the camera set by hand", by_hand)


if __name__ == "__main__":
    main()

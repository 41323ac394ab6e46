"""Views, protocols and sites: what is in config/, and what is said of a file that is not right."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from capture.domain.protocols import FRAMES, Catalogue, Site, View, describe_site, load_catalogue, missing, wanted
from capture.errors import SettingsError
from capture.sealing.contents import photo_part_name
from capture.settings import ROOT

CONFIG = ROOT / "config"
GOOD_VIEW = """
[views.close-up]
title = "Close-up"
short = "Shows it."
drawing = "close-up.svg"
distance = "20 cm"
light = "Daylight"
do = ["Hold still."]
dont = ["Do not zoom."]
frame = "ring"
"""
GOOD_PROTOCOL = """
[protocols.one]
title = "One"
summary = "One photo."
views = ["close-up"]
"""
GOOD_SITE = """
[sites.arm]
title = "Arm"
sides = true
snomed = "371311000"
intimate = false
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(CONFIG)


def write(folder: Path, protocols: str, sites: str) -> Path:
    (folder / "protocols.toml").write_text(protocols, "utf-8")
    (folder / "sites.toml").write_text(sites, "utf-8")
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_catalogue(folder)
    assert caught.value.hint
    return caught.value.problems


def views_in(catalogue: Catalogue) -> list[View]:
    """Every view that a patient may meet, each once."""
    found = {view.id: view for name in catalogue.protocols for view in catalogue.views_of(name)}
    return list(found.values())


def test_the_protocols_of_the_product(catalogue: Catalogue) -> None:
    """Each protocol asks for its views, in this order; a follow-up has none of its own."""
    asked = {name: [view.id for view in protocol.views] for name, protocol in catalogue.protocols.items()}
    assert asked == {
        "lesion": ["context", "close-up", "close-up-scale"],
        "rash": ["overall", "close-up", "other-side"],
        "nail": ["nails", "nail", "nail-side"],
        "scalp": ["scalp", "parting", "hairline"],
        "mouth": ["mouth", "mouth-close"],
        "wound": ["wound-place", "wound", "wound-scale"],
        "follow-up": [],
    }
    assert [name for name, protocol in catalogue.protocols.items() if protocol.follows] == ["follow-up"]


def test_every_view_is_complete_and_drawn(catalogue: Catalogue) -> None:
    """Each view has a title, a distance, a light, things to do and not to do, a frame, and a drawing of its own."""
    drawings: dict[str, str] = {}
    for view in views_in(catalogue):
        assert all((view.title, view.short, view.distance, view.light, view.do, view.dont))
        assert view.frame in FRAMES
        assert (ROOT / "static/img/views" / view.drawing).is_file(), view.drawing
        assert re.fullmatch(r"[a-z0-9-]{1,40}", view.id)  # it goes into addresses, file names and a column of 40
        drawings.setdefault(view.drawing, "more" if view.extra else view.id)
    assert len(set(drawings.values())) == len(drawings) == len({view.id for view in views_in(catalogue) if not view.extra}) + 1
    assert {path.name for path in (ROOT / "static/img/views").iterdir()} == set(drawings)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("static/img/views/*"), *ROOT.glob("static/img/outlines/*")], ids=lambda path: path.name
)
def test_drawings_are_small_and_stand_alone(path: Path) -> None:
    """Each drawing is a small SVG with a size, which runs nothing and fetches nothing."""
    root = ElementTree.fromstring(path.read_bytes())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox") == ("0 0 480 320" if path.parent.name == "views" else "0 0 300 400")
    assert path.stat().st_size < 8_000
    assert {one.tag.partition("}")[2] for one in root.iter()} <= {"svg", "g", "path", "rect", "circle", "clipPath"}
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on") or "href" in name]


def test_there_is_an_outline_for_every_frame() -> None:
    """The live camera has an outline for each frame that a view may name, and no other lies about."""
    assert {path.stem for path in (ROOT / "static/img/outlines").glob("*.svg")} == set(FRAMES)


def test_texts_are_short_and_easy(catalogue: Catalogue) -> None:
    """What a patient reads is short, at the level of 9 to 11 years (Flesch and Kincaid's grade 5), and never goes by redness."""
    for view in views_in(catalogue):
        texts = [view.short, view.distance, view.light, *view.do, *view.dont]
        sentences = [words for text in texts for words in (re.findall(r"[\w’'-]+", part) for part in text.split(".")) if words]
        assert len(view.title) <= 40
        assert max(map(len, texts)) <= 120, view.id
        assert max(map(len, sentences)) <= 20, view.id
        words = [word for sentence in sentences for word in sentence]
        grade = 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
        assert grade < 5, f"{view.id}: {grade:.1f}"
        assert not re.search(r"\bred(ness)?\b", " ".join(texts), re.IGNORECASE), view.id


def syllables(word: str) -> int:
    """About how many: the groups of vowels, without a silent e."""
    return max(1, len(re.findall(r"[aeiouy]+", word.lower().removesuffix("e"))))


def test_wounds_heads_and_mouths_are_asked_for_with_care(catalogue: Catalogue) -> None:
    """A dressing comes off only if a nurse or doctor said so; scalp and mouth say who can help; the mouth needs a torch."""
    first = {
        name: " ".join([*protocol.views[0].do, protocol.views[0].light])
        for name, protocol in catalogue.protocols.items()
        if protocol.views
    }
    assert "dressing off only if your nurse or doctor has told you to" in first["wound"]
    assert "Ask someone" in first["scalp"]
    for view in catalogue.protocols["mouth"].views:
        said = " ".join([*view.do, view.light])
        assert "mirror" in said
        assert "torch" in said
        assert "Ask someone" in said


def test_what_a_request_may_take(catalogue: Catalogue) -> None:
    """After the views that are asked for come five that the patient may add, each with a name and a title of its own."""
    views = catalogue.views_of("nail")
    assert [view.id for view in views] == ["nails", "nail", "nail-side", "more-1", "more-2", "more-3", "more-4", "more-5"]
    assert [view.extra for view in views] == [False] * 3 + [True] * 5
    assert [view.title for view in views[3:]] == [f"Extra photo {number}" for number in range(1, 6)]
    for number, view in enumerate(views, 1):
        assert photo_part_name(number, view.id).endswith(f"-{view.id}.jpg.age")


def test_a_catalogue_without_extra_photos(tmp_path: Path) -> None:
    """Where nobody wrote guidance for extra photos, a request takes what was asked for and nothing else."""
    loaded = load_catalogue(write(tmp_path, GOOD_VIEW + GOOD_PROTOCOL, GOOD_SITE))
    assert [view.id for view in loaded.views_of("one")] == ["close-up"]


def test_what_counts_and_what_is_missing(catalogue: Catalogue) -> None:
    """A skipped view is not asked for again, but counts once it is here; an extra one counts only once it is here."""
    views = catalogue.views_of("lesion")

    def names(found: list[View]) -> list[str]:
        return [view.id for view in found]

    assert names(missing(views, set())) == ["context", "close-up", "close-up-scale"]
    assert names(missing(views, {"close-up", "more-2"}, {"context": "reach"})) == ["close-up-scale"]
    assert names(wanted(views, {"close-up", "more-2"}, {"context": "reach"})) == ["close-up", "close-up-scale", "more-2"]
    assert names(wanted(views, {"context"}, {"context": "reach"})) == ["context", "close-up", "close-up-scale"]
    assert missing(views, {"context"}, {"close-up", "close-up-scale"}) == []


def test_every_site_has_a_code_of_its_own(catalogue: Catalogue) -> None:
    """Each place has a SNOMED CT code with a right check digit (Verhoeff), and no two share one."""
    codes = [site.snomed for site in catalogue.sites.values()]
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert is_sctid(code), code


def test_places_that_practices_do_not_ask_for_are_marked(catalogue: Catalogue) -> None:
    """Breast, genitals, perineum, anus, buttock and groin are intimate, and nothing else is."""
    intimate = {name for name, site in catalogue.sites.items() if site.intimate}
    assert intimate == {"breast", "external-genitals", "perineum", "anus", "buttock", "groin"}


def test_a_place_in_words() -> None:
    """A place is named with its side where it has one."""
    forearm = Site("forearm", "Forearm (back)", True, "41550009", False)
    assert describe_site(forearm, "left") == "left forearm (back)"
    assert describe_site(forearm, "") == "forearm (back)"


def test_a_good_folder_loads(tmp_path: Path) -> None:
    """A practice's own files are read like ours, and a view without do or don't has none."""
    short = GOOD_VIEW.replace('do = ["Hold still."]\ndont = ["Do not zoom."]\n', "")
    loaded = load_catalogue(write(tmp_path, short + GOOD_PROTOCOL, GOOD_SITE))
    (view,) = loaded.protocols["one"].views
    assert (view.id, view.do, view.dont) == ("close-up", (), ())
    assert loaded.sites["arm"].sides


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    """A view without a title, a protocol of unknown views, one of none and a site with an unknown field are all reported."""
    protocols = (
        GOOD_VIEW.replace('title = "Close-up"\n', "")
        + GOOD_VIEW.replace("close-up]", "other]")
        + '[protocols.lost]\ntitle = "Lost"\nsummary = "."\nviews = ["nowhere", "neither"]\n'
        + '[protocols.empty]\ntitle = "Empty"\nsummary = "."\n'
        + '[protocols.short]\ntitle = "Short"\nviews = ["other"]\n'
    )
    found = "\n".join(problems_of(write(tmp_path, protocols, GOOD_SITE + "colour = 3\n")))
    assert "view 'close-up': title is missing" in found
    assert "protocol 'lost' must list views that are there, each once, not ['nowhere', 'neither']" in found
    assert "protocol 'empty' must list views that are there, each once, not None" in found
    assert "protocol 'short': summary is missing" in found
    assert "site 'arm': colour is not known" in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, one that is not TOML and one that is not UTF-8 are problems, not tracebacks."""
    assert len(problems_of(tmp_path)) == 3  # both files, and then nothing to ask for
    write(tmp_path, "views = [", "")
    (tmp_path / "sites.toml").write_bytes(b"\xff\xfe")
    found = problems_of(tmp_path)
    assert [problem.split(" ")[0] for problem in found[:2]] == ["protocols.toml", "sites.toml"]


@pytest.mark.parametrize(
    "entry", ['views = "none"', 'views = {close-up = "x"}', 'protocols = ["lesion"]', "[views]\nclose-up = 1", "sites = 3"]
)
def test_tables_of_another_shape_are_problems(tmp_path: Path, entry: str) -> None:
    """A word or a list where a table should be is named like every other problem."""
    assert problems_of(write(tmp_path, entry, entry))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[views.close-up]", "[views.Close_up]", "view 'Close_up': a name is small letters"),
        ("[views.close-up]", "[views.more-1]", "does not start with more-"),
        ("[views.close-up]", f"[views.{'a' * 41}]", "at most 40"),
        ('frame = "ring"', 'frame = "square"', "frame must be one of ring, part, ruler, area, not 'square'"),
        ('views = ["close-up"]', 'views = ["close-up", "close-up"]', "each once"),
        ('title = "Close-up"', "title = 7", "title"),
        ('do = ["Hold still."]', 'do = "Hold still."', "do"),
        ('dont = ["Do not zoom."]', "dont = [1]", "dont"),
        ('summary = "One photo."', "summary = ['One photo.']", "summary"),
        ('views = ["close-up"]', 'views = "close-up"', "views"),
        ('views = ["close-up"]', 'views = [["close-up"]]', "views"),
        ("sides = true", 'sides = "no"', "sides"),
        ("intimate = false", 'intimate = "false"', "intimate"),
        ('snomed = "371311000"', "snomed = 371311000", "snomed"),
    ],
)
def test_a_value_of_another_kind_is_a_problem(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A number for a text or a text for yes and no is named: `intimate = "false"` must not pass for anything."""
    protocols, sites = (text.replace(old, new) for text in (GOOD_VIEW + GOOD_PROTOCOL, GOOD_SITE))
    assert any(said in problem for problem in problems_of(write(tmp_path, protocols, sites)))


def test_our_own_files_are_what_the_loader_reads(tmp_path: Path) -> None:
    """A copy of config/ loads the same from anywhere: nothing depends on where it lies."""
    for name in ("protocols.toml", "sites.toml"):
        shutil.copy(CONFIG / name, tmp_path)
    assert load_catalogue(tmp_path) == load_catalogue(CONFIG)


def is_sctid(code: str) -> bool:
    """Whether the last digit of a SNOMED CT identifier is its Verhoeff check digit."""
    turned = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(map(int, reversed(code))):
        for _ in range(place % 8):
            digit = turned[digit]  # noqa: PLW2901 - the permutation, applied once for each place
        check = dihedral(check, digit)
    return code.isdigit() and check == 0


def dihedral(one: int, other: int) -> int:
    """The product of two elements of the dihedral group of order ten."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other - 5) % 5
    return 5 + (one - 5 - other) % 5 if other < 5 else (one - other) % 5

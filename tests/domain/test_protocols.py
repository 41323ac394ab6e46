"""Views, protocols and sites: what is in config/, and what is said of a file that is not right."""

import re
import shutil
from pathlib import Path

import pytest

from capture.domain.protocols import Catalogue, Site, describe_site, load_catalogue
from capture.errors import SettingsError
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


def test_the_protocols_of_the_product(catalogue: Catalogue) -> None:
    """A lesion is asked for in three views, a rash in three others, in this order."""
    asked = {name: [view.id for view in protocol.views] for name, protocol in catalogue.protocols.items()}
    assert asked == {
        "lesion": ["context", "close-up", "close-up-scale"],
        "rash": ["overall", "close-up", "other-side"],
    }


def test_every_view_is_complete_and_drawn(catalogue: Catalogue) -> None:
    """Each view has a title, a distance, a light, things to do and not to do, and a drawing that is there."""
    for protocol in catalogue.protocols.values():
        assert protocol.title
        assert protocol.summary
        for view in protocol.views:
            assert view.title
            assert view.short
            assert view.distance
            assert view.light
            assert view.do
            assert view.dont
            drawing = ROOT / "static/img/views" / view.drawing
            assert drawing.is_file(), view.drawing
            assert b"<svg" in drawing.read_bytes()
            assert re.fullmatch(r"[a-z-]{1,40}", view.id)  # it goes into addresses, file names and a column of 40


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
    assert "protocol 'lost' must list views that are there, not ['nowhere', 'neither']" in found
    assert "protocol 'empty' must list views that are there, not None" in found
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

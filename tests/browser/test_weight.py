"""The patient's pages stay light: every byte counts where the signal is weak."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from capture.domain.protocols import load_catalogue
from capture.settings import ROOT
from tests.browser.conftest import Demo, visit
from tests.browser.steps import PIXEL, come_in
from tests.browser.weight import FIRST, LATER, Scale, new_link, walk

ASKED = {name: protocol.views for name, protocol in load_catalogue(ROOT / "config").protocols.items() if protocol.views}


def check(scale: Scale, demo: Demo) -> None:
    first, *later = scale.pages
    assert first.name.startswith("GET /r/")
    assert 10_000 < first.bytes < FIRST  # page, style, script, mark: they were not in any cache
    assert [page for page in later if not 0 < page.bytes <= LATER] == []
    assert scale.hosts == {demo.origin.removeprefix("http://")}


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_every_page_of_the_journey_is_light(browser: Browser, demo: Demo, tmp_path: Path, script: bool) -> None:
    """The first page weighs under 100 kB, each later one under 30 kB, all in, and nothing comes from another host."""
    with visit(browser, **PIXEL, java_script_enabled=script) as page:
        scale = Scale(browser, page, script=script)
        walk(page, demo, tmp_path, scale)
    assert {page.name for page in scale.pages} >= {"GET /agree", "GET /photos", "GET /photos/close-up", "GET /check", "GET /sent"}
    check(scale, demo)


@pytest.mark.parametrize("protocol", ASKED)
def test_guidance_of_every_protocol_is_light(browser: Browser, demo: Demo, protocol: str) -> None:
    """The list and the guidance of every view that can be asked for, each with its drawings, weigh under 30 kB a page."""
    with visit(browser, **PIXEL) as page:
        scale = Scale(browser, page)
        come_in(page, new_link(demo, protocol), scale)
        for view in [view.id for view in ASKED[protocol]] + ["more-1"]:
            page.goto(f"{demo.origin}/photos/{view}")
            scale.look(page, view)
    check(scale, demo)

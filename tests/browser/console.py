"""The console in a real browser: an instance, a page that is logged in, and what every page has to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.support import Instance, find_tool

HOME = "/_alight/console"
#: The setting that says where a run leaves its pictures, for people to look at; else they go with the test's folder.
SHOTS = "ALIGHT_TEST_SCREENSHOTS"


@dataclass
class Console:
    """`page` is logged in to `instance`; `wrongs` gathers what the browser complains of."""

    instance: Instance
    browser: Browser
    page: Page
    shots: Path
    wrongs: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.instance.url}{HOME}{path}")
        return self.page

    def shoot(self, name: str) -> None:
        """The page in light, dark and at phone width."""
        wide = self.page.viewport_size or {"width": 1280, "height": 900}
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.screenshot(path=self.shots / f"{name}-{scheme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 390, "height": 844})
        self.page.screenshot(path=self.shots / f"{name}-phone.png", full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (
            f"{name} is wider than a phone"
        )
        self.page.set_viewport_size(wide)

    def _violations(self) -> list[dict[str, Any]]:
        """A row that is replaced while axe looks at it ends its run: then it looks again."""
        for _ in range(4):
            try:
                return list(Axe().run(self.page).response["violations"])
            except Error:
                self.page.wait_for_load_state()
        return list(Axe().run(self.page).response["violations"])

    def check(self) -> None:
        """No complaint of the browser; nothing serious that axe finds, by day and by night."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = self._violations()
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            assert not serious, [
                (one["id"], node["html"][:160], node["failureSummary"]) for one in serious for node in one["nodes"][:3]
            ]
        self.page.emulate_media(color_scheme="light")
        assert not self.wrongs, self.wrongs


@contextmanager
def opened(instance: Instance, shots: Path) -> Iterator[Console]:
    """A browser of its own, logged in by a link of `alight console`."""
    shots = Path(os.environ.get(SHOTS) or shots)
    shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_tool("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        console = Console(instance, browser, page, shots)
        page.on(
            "console", lambda one: console.wrongs.append(f"{one.text} {one.location}") if one.type == "error" else None
        )
        page.on("pageerror", lambda one: console.wrongs.append(str(one)))
        page.goto(instance.json("console")["url"])
        page.wait_for_url(f"{instance.url}{HOME}/")
        yield console
        browser.close()

"""The console in a real browser: an instance, a page that is logged in, and what every page has to be."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Locator, Page

from tests.support import Instance, eventually

HOME = "/_alight/console"
#: The setting that says where a run leaves its pictures, for people to look at; else there are none.
SHOTS = "ALIGHT_TEST_SCREENSHOTS"
#: What axe has to say of colours; by night, nothing else is different.
COLOURS = ["color-contrast", "link-in-text-block"]
#: What a phone cuts off: links of the menu and tables that are wider than it.
CUT = """() => [...document.querySelectorAll('.top nav a, .wide')]
    .filter((one) => one.getBoundingClientRect().right > innerWidth || one.scrollWidth > one.clientWidth + 1)
    .map((one) => one.textContent.trim().slice(0, 60))"""
#: Where the keyboard is: with a ring around it, in sight, behind the stop before it.
STOP = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), look = getComputedStyle(one);
    const before = window.stopBefore || one;
    window.stopBefore = one;
    return {
        html: one.outerHTML.slice(0, 200),
        ring: look.outlineStyle === 'solid' && parseFloat(look.outlineWidth) >= 2,
        seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        behind: one === before || Boolean(before.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING),
    };
}"""


@dataclass
class Console:
    """`page` is logged in to `instance`; `wrongs` gathers what the browser complains of."""

    instance: Instance
    browser: Browser
    page: Page
    shots: Path | None
    wrongs: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.instance.url}{HOME}{path}")
        return self.page

    def shoot(self, name: str) -> None:
        """Nothing of the page is cut off on a phone. It is photographed in light, dark and at phone width, where
        somebody has asked for pictures."""
        wide = self.page.viewport_size or {"width": 1280, "height": 900}
        if self.shots:
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                self.page.screenshot(path=self.shots / f"{name}-{scheme}.png", full_page=True)
            self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 390, "height": 844})
        if self.shots:
            self.page.screenshot(path=self.shots / f"{name}-phone.png", full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (
            f"{name} is wider than a phone"
        )
        assert self.page.evaluate(CUT) == [], name
        self.page.set_viewport_size(wide)

    def until(self, script: str) -> None:
        """Until the script is true. Playwright's own `wait_for_function` evaluates in the page: the policy forbids
        that from the second look on."""
        eventually(lambda: self.page.evaluate(script), what=script)

    def tab_to(self, target: Locator) -> None:
        """By Tab alone; each stop on the way shows that it has the focus, and they come in the order of the page."""
        for _ in range(100):
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate(STOP)
            assert all(stop.values()), stop
            if target.evaluate("(one) => one === document.activeElement"):
                return
        raise AssertionError(f"Tab does not come to {target}")

    def _violations(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """A row that is replaced while axe looks at it ends its run: then it looks again."""
        for _ in range(4):
            try:
                return list(Axe().run(self.page, options=options).response["violations"])
            except Error:
                self.page.wait_for_load_state()
        return list(Axe().run(self.page, options=options).response["violations"])

    def check(self) -> None:
        """No complaint of the browser; nothing serious that axe finds by day, nor in the colours of the night."""
        every = {"resultTypes": ["violations"]}
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found = self._violations(every)
        self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        found += self._violations(every | {"runOnly": {"type": "rule", "values": COLOURS}})
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, [
            (one["id"], node["html"][:160], node["failureSummary"]) for one in serious for node in one["nodes"][:3]
        ]
        self.page.emulate_media(color_scheme="light")
        assert not self.wrongs, self.wrongs


def drop(console: Console, place: str, name: str, body: bytes, kind: str) -> None:
    """A file falls on the place that this selector finds."""
    carried = console.page.evaluate_handle(
        """([name, text, type]) => {
            const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type }));
            return carried;
        }""",
        [name, base64.b64encode(body).decode(), kind],
    )
    console.page.dispatch_event(place, "drop", {"dataTransfer": carried})


@contextmanager
def opened(instance: Instance, browser: Browser) -> Iterator[Console]:
    """A page of its own, logged in by a link of `alight console`."""
    shots = Path(os.environ[SHOTS]) if SHOTS in os.environ else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    console = Console(instance, browser, page, shots)
    page.on("console", lambda one: console.wrongs.append(f"{one.text} {one.location}") if one.type == "error" else None)
    page.on("pageerror", lambda one: console.wrongs.append(str(one)))
    page.goto(instance.json("console")["url"])
    page.wait_for_url(f"{instance.url}{HOME}/")
    yield console
    for context in browser.contexts:  # what a test has opened beside it ends with it
        context.close()

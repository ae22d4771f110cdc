"""The page of examples/sentiment in a real browser: from its website bucket, and from a file.

`ALIGHT_SCREENSHOTS=DIR` keeps the pictures that the last test takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.reviews import BAD, EXAMPLE, GOOD, Judge
from tests.support import find_tool
from tests.walk.sentiments import Sentiments, sentiments

pytest.importorskip("xgboost")
pytestmark = pytest.mark.tool("chromium")
#: Milliseconds for one answer.
PATIENCE = 30_000


@dataclass
class Visitor:
    """A page, and everything that went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))

    def say(self, review: str) -> None:
        self.page.get_by_label("Your review").fill(review)
        self.page.get_by_role("button", name="Submit").click()

    def reads(self, verdict: str) -> None:
        expect(self.page.locator("#verdict")).to_have_text(verdict, timeout=PATIENCE)
        expect(self.page.locator("#error")).to_be_hidden()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentiments]:
    if find_tool("chromium") is None:
        pytest.skip("chromium is not installed")
    with sentiments(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """What a page keeps is its own; `indirect` parameters are options of the context."""
    options: dict[str, Any] = getattr(request, "param", {})
    opened = browser.new_context(**options)
    yield opened
    opened.close()


@pytest.fixture
def visitor(context: BrowserContext) -> Visitor:
    return Visitor(context.new_page())


def test_a_review_is_judged_on_the_page(app: Sentiments, visitor: Visitor) -> None:
    visitor.page.goto(app.page)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("What did you think of the film?")
    with visitor.page.expect_request(lambda request: request.method != "GET") as sent:
        visitor.say(GOOD)
    assert sent.value.method == "POST", "no preflight"
    assert sent.value.post_data == GOOD
    assert sent.value.all_headers()["content-type"].lower() == "text/plain;charset=utf-8"
    visitor.reads("Your review was POSITIVE!")
    percent = f"{Judge().probabilities([GOOD])[0] * 100:.1f}"
    expect(visitor.page.get_by_role("meter")).to_have_attribute("aria-valuenow", percent)
    expect(visitor.page.locator("#words .word").first).to_have_text("wonderful")
    visitor.say(BAD)
    visitor.reads("Your review was NEGATIVE!")
    expect(visitor.page.locator("#words .word").first).to_have_text("dull")
    assert visitor.complaints == []


def test_without_detail_the_page_speaks_the_labs_digit(app: Sentiments, visitor: Visitor) -> None:
    visitor.page.goto(app.page)
    visitor.page.get_by_label("Show the words that counted").uncheck()
    for review, label in ((GOOD, "POSITIVE"), (BAD, "NEGATIVE")):
        with visitor.page.expect_response(app.api) as answered:
            visitor.say(review)
        assert answered.value.text() == ("1" if label == "POSITIVE" else "0")
        visitor.reads(f"Your review was {label}!")
        expect(visitor.page.locator("#more")).to_be_hidden()
    assert visitor.complaints == []


def test_the_same_page_opened_from_a_file(app: Sentiments, visitor: Visitor) -> None:
    visitor.page.goto((EXAMPLE / "site" / "index.html").as_uri())
    visitor.say(GOOD)
    expect(visitor.page.get_by_role("alert")).to_contain_text("Say where the API is")
    visitor.page.get_by_label("Address of the API").fill(app.api)
    visitor.say(GOOD)
    visitor.reads("Your review was POSITIVE!")
    visitor.page.goto(f"{(EXAMPLE / 'site' / 'index.html').as_uri()}?api={app.api}")
    visitor.page.get_by_role("button", name="a bad one").click()
    visitor.reads("Your review was NEGATIVE!")
    assert visitor.complaints == []


def test_what_went_wrong_is_told_to_people(app: Sentiments, visitor: Visitor) -> None:
    page, alert = visitor.page, visitor.page.get_by_role("alert")
    page.goto(app.page)
    page.get_by_role("button", name="Submit").click()
    expect(alert).to_have_text("Write a review first.")
    gone = app.api.replace("/prod", "/nowhere")
    page.goto(f"{(EXAMPLE / 'site' / 'index.html').as_uri()}?api={gone}")
    visitor.say(GOOD)
    expect(alert).to_contain_text("could not be reached", timeout=PATIENCE)
    expect(page.locator("#result")).to_be_hidden()


def test_what_the_page_does_not_have_is_told_by_the_site(app: Sentiments, visitor: Visitor) -> None:
    answer = visitor.page.goto(f"{app.page.rstrip('/')}/no/such/page")
    assert answer is not None
    assert answer.status == 403
    expect(visitor.page.get_by_role("heading")).to_have_text("There is no such page.")


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("light", {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"}),
        ("dark", {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 375, "height": 812}, "device_scale_factor": 2}),
    ],
    indirect=["context"],
)
def test_it_fits_its_window(app: Sentiments, visitor: Visitor, tmp_path: Path, name: str) -> None:
    visitor.page.goto(app.page)
    visitor.say(BAD if name == "phone" else GOOD)
    visitor.reads(f"Your review was {'NEGATIVE' if name == 'phone' else 'POSITIVE'}!")
    width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert visitor.page.evaluate(width), "nothing has to be scrolled sideways"
    folder = Path(os.environ.get("ALIGHT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"sentiment-{name}.png"
    visitor.page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000
    colour = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(22, 20, 18)") == (name == "dark")

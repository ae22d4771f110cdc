"""What the browser tests share: a browser for each file, a page for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support import find_tool

#: A browser that asks for nothing by itself, and draws without a process for it.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Milliseconds until what a page is expected to show will not come any more. Browser, runtime and other tests share two
#: cores, for which the default of five seconds is too few.
PATIENCE = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Its pages know nothing of each other: each has its own cookies and caches. For one file and not longer, since
    its loop runs in this thread, where other files' tests want to run theirs."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_tool("chromium"), args=list(QUIET))
        yield launched
        launched.close()

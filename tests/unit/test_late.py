"""What a start does not load, and what loads it then."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest

from alight import late
from tests.support import clean_environment

#: Each with what it would add to a start, in milliseconds of a processor.
LATE = {
    "aiohttp": "90: two stores of certificates, for HTTP_PROXY",
    "_awscrt": "30: a test of its source of random numbers, for CRCs",
    "cryptography.x509": "12: the certificate of a new folder",
    "jinja2": "11: the console's pages",
    "PIL": "9: thumbnails, in a process of their own",
    "samtranslator": "400: a template that has changed",
    "boto3": "40: nobody",
}


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "alight.app", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment())
    return set(re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("name", LATE)
def test_a_start_does_not_load(loaded: set[str], name: str) -> None:
    assert "alight.app" in loaded or "alight.assembly.doors" in loaded
    assert name not in loaded, LATE[name]


async def test_what_is_late_is_loaded_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_in: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "importlib.import_module",
        lambda name: loaded_in.append((name, threading.current_thread() is threading.main_thread())),
    )
    await late.load("not_loaded_yet")
    await late.load("asyncio")
    assert loaded_in == [("not_loaded_yet", False)]

"""Fixtures and rules for every test.

A test that needs a system tool says `@pytest.mark.tool("strace")`: where the tool is missing it is skipped by name,
or fails where REQUIRE_TOOLS=1 (as in CI). What was skipped is listed at the end, with its reason.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody
from hypothesis import HealthCheck, settings

from alight.quiet import NO_TELEMETRY
from tests.loaded import Loaded, loading
from tests.support import Instance, Start, find_tool, start_alight, sweep

#: The Alights that a test has started by `start`.
STARTED = pytest.StashKey[list[Instance]]()


def pytest_configure() -> None:
    """Tests talk to the loopback only, and so do libraries that they load into their own process."""
    os.environ.update(NO_TELEMETRY)
    # How long an example takes is a matter of what else the machine does. All else stays as it is, in CI and elsewhere.
    settings.register_profile("house", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("house")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("tool"):
        for name in marker.args:
            if find_tool(name) is None:
                missing(name)


def missing(name: str) -> None:
    """Skip, or fail where CI has promised the tool."""
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"{name} is not installed, and REQUIRE_TOOLS=1 asks for it", pytrace=False)
    pytest.skip(f"{name} is not installed")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        terminalreporter.section("skipped, and why")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:4d}  {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails is reported with what the Alights that it used have said last."""
    report = yield
    if report.failed:
        used = [getattr(value, "instance", value) for value in item.funcargs.values()]
        instances = [one for one in [*used, *item.stash.get(STARTED, [])] if isinstance(one, Instance)]
        said = {one.url: one.stderr.read_text()[-8000:] for one in instances if one.stderr.exists()}
        report.sections += [(f"stderr of {url}", text) for url, text in said.items()]
    return report


@pytest.fixture(autouse=True)
def every_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An answer whose body nobody reads keeps its connection, which is then found open in whichever test comes when it
    is collected. So the test that leaves one fails itself."""
    given: list[Any] = []
    make = StreamingBody.__init__

    def remember(self: Any, raw: Any, length: Any) -> None:
        given.append(raw)
        make(self, raw, length)

    monkeypatch.setattr(StreamingBody, "__init__", remember)
    yield
    left = [raw for raw in given if (wire := getattr(raw, "_fp", None)) is not None and not wire.isclosed()]
    for raw in left:
        raw.close()
    assert not left, f"{len(left)} answers of boto3 were not read to their end"


@pytest.fixture(scope="session")
def loaded() -> Iterator[Loaded]:
    """`loaded("aws2")`: a program that does what the tool does, without its start."""
    with tempfile.TemporaryDirectory() as folder, loading(Path(folder)) as tools:
        yield tools


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start any number of Alights: `start(template=None, data=None, port=0, **environment)`; all are ended."""
    started = request.node.stash.setdefault(STARTED, [])

    def begin(template: Path | None = None, data: Path | None = None, **more: Any) -> Instance:
        instance = start_alight(data or tmp_path / "data", template, **more)
        started.append(instance)
        return instance

    yield begin
    for instance in started:
        sweep(instance.process)


@pytest.fixture
def running(start: Start) -> Instance:
    """One Alight with an empty account, on a free port and a fresh folder."""
    return start()

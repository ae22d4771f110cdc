"""An endpoint that does not answer is left alone by events, in waits that grow and differ; people are always let in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alight.endpoints.server import Endpoints
from alight.endpoints.standing import FAILURES, FIRST_WAIT, JITTER, LONGEST_WAIT, Standing
from alight.errors.sagemaker import ModelError, ServiceUnavailable
from tests.unit.endpoints import tiny
from tests.unit.endpoints.conftest import one
from tests.unit.endpoints.test_server import PUPPET, until


@dataclass
class Log:
    lines: list[str] = field(default_factory=list)
    chance: float = 0.0

    def standing(self) -> Standing:
        return Standing(lambda: self.chance, self.lines.append)


def opened(standing: Standing, now: float = 0.0) -> Standing:
    for _ in range(FAILURES):
        standing.failed(False, now)
    return standing


def test_a_few_failures_close_nothing() -> None:
    standing = Log().standing()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            standing.failed(False, 0.0)
        assert standing.refuses(0.0) == ""
        assert not standing.let_in()
        standing.answered()


def test_after_some_in_a_row_nobody_asks_until_one_tries() -> None:
    log = Log()
    standing = opened(log.standing())
    assert standing.refuses(0.0) == "it has not answered 5 times in a row; one event tries it in 5 s"
    assert standing.refuses(FIRST_WAIT - 0.1)
    assert standing.refuses(FIRST_WAIT) == ""
    assert standing.let_in()
    assert standing.refuses(FIRST_WAIT).endswith("one event is trying it now")
    standing.tries = False
    standing.answered()
    assert standing.refuses(FIRST_WAIT) == ""
    assert not standing.let_in()
    assert [line.split(":")[0] for line in log.lines] == [
        "The model has not answered 5 times in a row",
        "The model answers again",
    ]


def test_waits_double_to_a_minute_and_start_anew_after_an_answer() -> None:
    standing, now, waits = opened(Log().standing()), 0.0, []
    for _ in range(6):
        waits.append(standing.opens - now)
        now = standing.opens
        assert standing.let_in()
        standing.failed(True, now)
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert waits[-1] == LONGEST_WAIT
    standing.answered()
    assert opened(standing, now).opens - now == FIRST_WAIT


def test_waits_differ() -> None:
    assert opened(Log(chance=1.0).standing()).opens == FIRST_WAIT * (1 + JITTER)


def test_whoever_fails_meanwhile_draws_nothing_out() -> None:
    """People ask as they like, and what was under way ends."""
    standing = opened(Log().standing())
    standing.failed(False, 4.0)
    assert standing.opens == FIRST_WAIT


@dataclass
class Caller:
    """An event's call, and whether a failure would be its own."""

    excused: int = 0
    turns: list[bool] = field(default_factory=list)

    def __call__(self, excused: bool) -> None:
        self.turns.append(excused)
        self.excused += 1 if excused else -1


#: Ends at each start while the file is there.
LOADED = "    return None\n"
DYING = PUPPET.replace(LOADED, f'    if os.path.exists(os.environ["DEAD"]):\n        os._exit(1)\n{LOADED}', 1)


async def ask(endpoints: Endpoints, words: str, excuse: Callable[[bool], None] | None = None) -> bytes:
    answer = await endpoints.invoke(
        "endpoint", words.encode(), content_type="text/plain", accept=None, excuse=excuse
    )  # fmt: skip
    return answer.body


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    return tmp_path / "dead"


async def deployed(make: Callable[..., Endpoints], folder: Path, dead: Path, **limits: float) -> Endpoints:
    made = make(**({"patience": 0.2, "backoff": 0.3} | limits))
    await made.deploy(one(tiny.script(folder / "dying", DYING), DEAD=str(dead)))
    return made


def replicas(endpoints: Endpoints) -> int:
    status = endpoints.status("endpoint")
    assert status is not None
    return status.replicas


async def test_a_dead_endpoint_costs_events_nothing_and_is_tried_by_one(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path, dead: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alight.endpoints.standing.FIRST_WAIT", 0.5)
    endpoints = await deployed(make_endpoints, tmp_path, dead)
    dead.touch()
    killer = Caller()
    with pytest.raises((ModelError, ServiceUnavailable)):
        await ask(endpoints, "die", killer)
    await until(lambda: replicas(endpoints) == 0)
    callers = [Caller() for _ in range(FAILURES)]
    ends = await asyncio.gather(*(ask(endpoints, "pid", caller) for caller in callers), return_exceptions=True)
    assert {type(end) for end in ends} == {ServiceUnavailable}, "nobody waits long for a replica that is not there"
    assert all(caller.excused for caller in callers)
    late = Caller()
    with pytest.raises(ServiceUnavailable, match=r"has not answered \d times in a row") as error:
        await ask(endpoints, "pid", late)
    assert late.excused
    assert error.value.status == 503
    dead.unlink()
    await until(lambda: replicas(endpoints) == 1)

    async def tried() -> bool:
        try:
            await ask(endpoints, "pid", one_more := Caller())
        except ServiceUnavailable:
            return False
        assert not one_more.excused, "from its answer on, what fails is the event's own"
        return True

    async with asyncio.timeout(20):
        while not await tried():
            await asyncio.sleep(0.02)
    assert [await ask(endpoints, "pid", Caller()) for _ in range(3)]


async def test_a_person_is_let_in_and_closes_it(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path, dead: Path
) -> None:
    endpoints = await deployed(make_endpoints, tmp_path, dead)
    for _ in range(FAILURES):
        with pytest.raises(ModelError):
            await ask(endpoints, "status 503")
    with pytest.raises(ServiceUnavailable):
        await ask(endpoints, "pid", Caller())
    assert await ask(endpoints, "pid")
    assert await ask(endpoints, "pid", Caller())


async def test_a_models_own_error_is_an_answer(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path, dead: Path
) -> None:
    """As on AWS: the event's attempt has failed, and the next event is asked as ever."""
    endpoints = await deployed(make_endpoints, tmp_path, dead)
    for _ in range(2 * FAILURES):
        caller = Caller()
        with pytest.raises(ModelError):
            await ask(endpoints, "status 500", caller)
        assert not caller.excused
    assert await ask(endpoints, "pid", Caller())


async def test_who_runs_out_of_time_in_the_line_is_excused_and_at_a_replica_is_not(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path, dead: Path
) -> None:
    endpoints = await deployed(make_endpoints, tmp_path, dead)
    gate, first, second = tmp_path / "gate", Caller(), Caller()
    working = asyncio.create_task(ask(endpoints, f"gate {gate}", first))
    await until(lambda: any(name.startswith("gate.") for name in os.listdir(tmp_path)))
    waiting = asyncio.create_task(ask(endpoints, "pid", second))
    await until(lambda: second.turns == [True])
    # Its function has been ended meanwhile.
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (first.excused, second.excused) == (0, 1)
    gate.touch()
    await working


async def test_the_one_that_tries_is_excused_where_it_finds_nobody(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path, dead: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alight.endpoints.standing.FIRST_WAIT", 0.01)
    endpoints = await deployed(make_endpoints, tmp_path, dead)
    for _ in range(FAILURES):
        with pytest.raises(ModelError):
            await ask(endpoints, "status 504", Caller())
    tries = Caller()

    async def let_in() -> bool:
        with pytest.raises((ModelError, ServiceUnavailable)) as error:
            await ask(endpoints, "status 504", tries)
        return error.type is ModelError

    async with asyncio.timeout(20):
        while not await let_in():
            await asyncio.sleep(0.01)
    assert tries.excused
    assert False not in tries.turns

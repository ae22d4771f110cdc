"""What an integration may take: its own time ends it, and nobody else's end is taken for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from alight.apis.calling import Busy, _in_time
from alight.errors.apis import IntegrationBusy, IntegrationTimeout
from tests.unit.apis.making import FUNCTION

SOON = replace(FUNCTION, timeout=0.01)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_is_not_there_in_time_is_told_so_and_the_request_goes_on() -> None:
    with pytest.raises(IntegrationTimeout) as told:
        await _in_time(forever(), SOON)
    assert str(told.value.__cause__) == "no answer within 0.01 s"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_is_there_in_time_is_the_answer_and_its_timer_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    later = loop.call_later

    def noted(delay: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        timers.append(later(delay, what))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    assert await _in_time(asyncio.sleep(0, "answer"), FUNCTION) == "answer"
    assert [timer.cancelled() for timer in timers] == [True]


async def test_a_request_that_is_cancelled_is_no_late_answer() -> None:
    asking = asyncio.create_task(_in_time(forever(), FUNCTION))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_nor_is_one_that_is_cancelled_and_then_late() -> None:
    async def clears_up() -> None:
        try:
            await forever()
        finally:
            await forever()

    asking = asyncio.create_task(_in_time(clears_up(), SOON))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize(("raised", "told"), [(TimeoutError, IntegrationTimeout), (Busy, IntegrationBusy)])
async def test_what_the_integration_itself_says(raised: type[Exception], told: type[Exception]) -> None:
    async def fails() -> None:
        raise raised

    with pytest.raises(told):
        await _in_time(fails(), FUNCTION)

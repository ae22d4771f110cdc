"""The work on stacks, one task for each: begun by an operation, gone on with after a restart."""

from __future__ import annotations

import asyncio
import logging

from alight.stacks.record import Stack, all_stacks
from alight.stacks.service.driving import UNDER_WAY, Driver
from alight.stacks.service.ground import Ground

log = logging.getLogger(__name__)

#: Seconds that an operation waits for the work that it has begun before it answers.
PATIENCE = 2.0


class Runs:
    """Who works on which stack. A stack that is worked on is changed through `stack`, never beside it."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stacks: dict[str, Stack] = {}
        self._cancelled: set[str] = set()

    def stack(self, name: str) -> Stack | None:
        """The stack as its work has it, else as it is recorded."""
        found = self._ground.find(name)
        return self._stacks.get(found.name, found) if found else None

    async def begin(self, stack: Stack, status: str, reason: str = "User Initiated") -> None:
        """Write the status down, then work on what it asks for; nobody waits."""
        means = self._ground.means()
        stack.turn(means.clock.now(), status, reason)
        await stack.save(means.records)
        self._start(stack)

    def _start(self, stack: Stack) -> None:
        self._stacks[stack.name] = stack
        self._tasks[stack.name] = asyncio.create_task(self._run(stack), name=f"stack {stack.name}")

    async def _run(self, stack: Stack) -> None:
        driver = Driver(self._ground, stack, lambda: stack.name in self._cancelled)
        try:
            await driver.run()
        except Exception as error:
            log.exception("the work on stack %s failed", stack.name)
            await driver.turn(_FAILED.get(stack.status, "UPDATE_ROLLBACK_FAILED"), f"{type(error).__name__}: {error}")
        finally:
            if self._stacks.get(stack.name) is stack:
                del self._stacks[stack.name], self._tasks[stack.name]
            self._cancelled.discard(stack.name)

    async def linger(self, stack: Stack) -> None:
        """Return when the work is done, or when it takes longer: whoever asks how it goes asks again half a minute
        later (the waiters of boto3 and the command line), and most stacks here need a second."""
        task = self._tasks.get(stack.name)
        if task is not None:
            await asyncio.wait({task}, timeout=PATIENCE)

    def cancel(self, stack: Stack) -> None:
        """No further step of its update; it is then taken back."""
        self._cancelled.add(stack.name)

    async def stop(self, stack: Stack) -> None:
        """Leave off where the work is; return when it has."""
        task = self._tasks.get(stack.name)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def resume(self) -> None:
        """Go on with what a stop or a crash has cut off."""
        for stack in all_stacks(self._ground.means().records):
            if "Id" in stack.body and stack.status in UNDER_WAY:
                self._start(stack)

    async def close(self) -> None:
        """Leave off with everything; the next start goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


#: Where a fault of ours ends a stack's work.
_FAILED = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}

"""Removing what left the template, what was replaced and what a stack that ends has made: dependents first."""

from __future__ import annotations

from collections.abc import Callable, Collection

from alight.errors import AlightError, Fault
from alight.stacks.existing import Exists
from alight.stacks.plan import Step, removal
from alight.stacks.prepare import in_order
from alight.stacks.problems import ApplyFailed, told
from alight.stacks.provider import Kept, Provider, Surroundings, Work
from alight.stacks.record import Entry, Stack
from alight.stacks.resources import provider_of
from alight.store.records import Records


class Remover:
    """Deletes resources of one stack.

    Without `exists` it is for a template's file: what cannot be deleted stays with a warning, or stops the work, which
    the next apply takes up. With it it is as CloudFormation has it: everything that can go goes, `failed` tells of the
    rest (logical id → reason), and what those need stays with them.
    """

    def __init__(
        self,
        stack: Stack,
        around: Surroundings,
        records: Records,
        on_step: Callable[[Step], None],
        exists: Exists | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self.failed: dict[str, str] = {}
        self._stack = stack
        self._around = around
        self._records = records
        self._on_step = on_step
        self._exists = exists
        self._lenient = exists is None

    async def run(self, gone: Collection[str], retained: Collection[str] = ()) -> None:
        """Delete the entries named in `gone`, but leave those in `retained` where they are; and all leftovers."""
        needs = {logical_id: entry.needs for logical_id, entry in self._stack.leftovers}
        needs |= {logical_id: self._stack.entries[logical_id].needs for logical_id in gone}
        ordered = in_order(needs)
        for logical_id in (*(name for name in needs if name not in ordered), *reversed(ordered)):
            await self._leftovers(logical_id)
            if logical_id in gone and not self._is_needed(logical_id):
                entry = self._stack.entries[logical_id]
                step = removal(logical_id, entry)
                if logical_id in retained:
                    step = Step("keep", logical_id, entry.type, entry.name, "asked to be retained")
                await self._delete(logical_id, entry, step)
                if logical_id not in self.failed:
                    del self._stack.entries[logical_id]
                await self._stack.save(self._records)

    def _is_needed(self, logical_id: str) -> bool:
        """What could not be deleted still needs this."""
        return any(logical_id in self._stack.entries[name].needs for name in self.failed if name in self._stack.entries)

    async def _leftovers(self, logical_id: str) -> None:
        for item in [item for item in self._stack.leftovers if item[0] == logical_id]:
            if not item[1].retain_replaced:
                step = Step("delete", logical_id, item[1].type, item[1].name, "was replaced")
                await self._delete(logical_id, item[1], step, current=False)
            # CloudFormation does not come back to what it could not clean up.
            self._stack.leftovers.remove(item)
            await self._stack.save(self._records)

    async def _delete(self, logical_id: str, entry: Entry, step: Step, current: bool = True) -> None:
        self._on_step(step)
        clock = self._around.clock
        if step.action == "keep":
            self._stack.note(clock.now(), logical_id, entry, "DELETE_SKIPPED", current=current)
            return
        self._stack.note(clock.now(), logical_id, entry, "DELETE_IN_PROGRESS", current=current)
        await self._stack.save(self._records)
        provider, work = work_of(entry, self._around, logical_id)
        try:
            await provider.delete(work)
        except Kept as kept:
            if self._lenient:
                self.warnings.append(f"{logical_id}: {kept}")
            else:
                self._fail(logical_id, entry, str(kept), current)
                return
        except (Fault, AlightError) as error:
            if self._lenient:
                self._fail(logical_id, entry, told(error), current)
                raise ApplyFailed(
                    f"Deleting {logical_id} ({entry.type} {entry.name}) failed: {told(error)}",
                    "It is tried again at the next apply.",
                    logical_id,
                ) from error
            if not await self._never_was(entry, work):
                self._fail(logical_id, entry, told(error), current)
                return
        self._stack.note(clock.now(), logical_id, entry, "DELETE_COMPLETE", current=current)

    async def _never_was(self, entry: Entry, work: Work) -> bool:
        """Its creation was begun and came to nothing, so that there is nothing to delete."""
        return entry.status == "creating" and self._exists is not None and not await self._exists(entry.type, work)

    def _fail(self, logical_id: str, entry: Entry, reason: str, current: bool) -> None:
        self._stack.note(self._around.clock.now(), logical_id, entry, "DELETE_FAILED", reason, current=current)
        if current:
            self.failed[logical_id] = reason


def work_of(entry: Entry, around: Surroundings, logical_id: str) -> tuple[Provider, Work]:
    work = Work(around, logical_id, entry.name, entry.properties, entry.properties, entry.known, type=entry.type)
    return provider_of(entry.type), work


async def clear(entry: Entry, around: Surroundings, logical_id: str) -> None:
    """Make room for a new thing under the same name, or sweep up what a cut-off creation has left."""
    provider, work = work_of(entry, around, logical_id)
    try:
        await provider.delete(work)
    except Kept:
        # A bucket with objects: creating it again finds it as it is.
        return
    except Fault:
        if entry.status == "done":
            raise

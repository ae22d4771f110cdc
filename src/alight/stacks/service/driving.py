"""What each status of a stack asks for, until nothing more is to be done.

    CREATE_IN_PROGRESS ──▶ CREATE_COMPLETE
            └──▶ ROLLBACK_IN_PROGRESS ──▶ ROLLBACK_COMPLETE      (or DELETE_IN_PROGRESS, or CREATE_FAILED, as asked)
    UPDATE_IN_PROGRESS ──▶ UPDATE_COMPLETE_CLEANUP_IN_PROGRESS ──▶ UPDATE_COMPLETE
            └──▶ UPDATE_ROLLBACK_IN_PROGRESS ──▶ UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
                        └──▶ UPDATE_ROLLBACK_FAILED            └──▶ UPDATE_ROLLBACK_COMPLETE
    DELETE_IN_PROGRESS ──▶ the stack is gone, or DELETE_FAILED

Each status is written down before its work begins, and each piece of work can be begun again: that is all a restart
has to know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from alight.calls import Members
from alight.errors import AlightError, Fault
from alight.stacks.apply import Means
from alight.stacks.applying import Applying
from alight.stacks.existing import Exists, looking
from alight.stacks.outputs import exports, told
from alight.stacks.plan import Step
from alight.stacks.problems import ApplyFailed
from alight.stacks.record import Stack
from alight.stacks.removing import Remover
from alight.stacks.resolve import Unresolvable
from alight.stacks.service.definitions import prepared_for, surroundings
from alight.stacks.service.forgetting import forget_templates
from alight.stacks.service.ground import Ground
from alight.stacks.service.texts import parsed

_FAILURES = (AlightError, Fault)


class Driver:
    """The work on one stack. `cancelled()` is asked before each step."""

    def __init__(self, ground: Ground, stack: Stack, cancelled: Callable[[], bool]) -> None:
        self._ground = ground
        self._stack = stack
        self._cancelled = cancelled
        owner = ground.means()
        self._records = owner.records
        self._clock = owner.clock
        self._exists: Exists = looking(owner.call, owner.offered)
        self._undoing = False

    async def run(self) -> None:
        """Until the status asks for nothing more."""
        while (work := _WORK.get(self._stack.status)) is not None:
            self._undoing = "ROLLBACK" in self._stack.status or "DELETE" in self._stack.status
            await work(self)

    async def turn(self, status: str, reason: str = "") -> None:
        self._stack.turn(self._clock.now(), status, reason)
        await self._stack.save(self._records)

    # Creating --------------------------------------------------------------------------------------------------------

    async def create(self) -> None:
        try:
            await self._make(self._stack.body["Definition"])
        except _FAILURES as error:
            reason = _failed("create", error)
            after = self._stack.body.get("OnFailure", "ROLLBACK")
            await self.turn(
                {"DO_NOTHING": "CREATE_FAILED", "DELETE": "DELETE_IN_PROGRESS"}.get(after, "ROLLBACK_IN_PROGRESS"),
                reason,
            )
        else:
            await self.turn("CREATE_COMPLETE")

    async def roll_back(self) -> None:
        """Everything that was made goes again; what was to be retained at a later deletion too, where that was said."""
        self._free(self._stack.entries)
        failed = await self._remove_all()
        await self.turn("ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE", failed)

    # Updating --------------------------------------------------------------------------------------------------------

    async def update(self) -> None:
        stack = self._stack
        try:
            await self._make(stack.body["Definition"])
        except _FAILURES as error:
            reason = _failed("update", error)
            # Without a state before it (a creation that failed and stood still) there is nothing to go back to.
            if (stack.body.get("DisableRollback") and not self._cancelled()) or "Previous" not in stack.body:
                await self.turn("UPDATE_FAILED", reason)
                return
            take_back(stack)
            await self.turn("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        else:
            await self.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")

    async def roll_back_update(self) -> None:
        stack = self._stack
        if "Previous" in stack.body:
            stack.body["Definition"] = stack.body["Previous"]
        try:
            await self._make(stack.body["Definition"])
        except _FAILURES as error:
            await self.turn("UPDATE_ROLLBACK_FAILED", _failed("update", error))
        else:
            for logical_id in dict(stack.leftovers):
                if logical_id in stack.entries:  # was replaced, and is what it was again
                    stack.note(self._clock.now(), logical_id, stack.entries[logical_id], "UPDATE_COMPLETE")
            await self.turn("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")

    async def clean_up(self) -> None:
        """What is no longer to be goes. What refuses to is told and left behind: the update stands all the same."""
        stack = self._stack
        job = await self._job(stack.body["Definition"])
        if stack.status.startswith("UPDATE_ROLLBACK"):
            self._free(job.superfluous())
        await job.clean()
        for name in [name for name in stack.body.get("Statuses", {}) if name not in stack.entries]:
            del stack.body["Statuses"][name]
        stack.body.pop("Previous", None)
        stack.body["Updated"] = self._clock.now()
        await self.turn(stack.status.replace("_CLEANUP_IN_PROGRESS", ""))
        await forget_templates(self._records, stack)

    # Deleting --------------------------------------------------------------------------------------------------------

    async def delete(self) -> None:
        stack, base_url = self._stack, self._ground.means().base_url
        used = imported(self._ground, {output.export for output in told(stack, base_url) if output.export}, stack)
        if used:
            name, by = next(iter(used.items()))
            await self.turn("DELETE_FAILED", f"Export {name} cannot be deleted as it is in use by {by}")
            return
        failed = await self._remove_all(stack.body.get("RetainResources", ()))
        if failed:
            await self.turn("DELETE_FAILED", failed)
            return
        stack.body["Deleted"] = self._clock.now()
        stack.body["Name"] = stack.name
        stack.turn(self._clock.now(), "DELETE_COMPLETE")
        await stack.close(self._records)
        await forget_templates(self._records, stack, change_sets=True)

    # What they share -------------------------------------------------------------------------------------------------

    def _free(self, names: Iterable[str]) -> None:
        """What was made by work that is taken back is not retained, where a policy or the request says so."""
        freed = self._stack.body.get("RetainExceptOnCreate", False)
        for name in tuple(names):
            entry = self._stack.entries[name]
            if entry.retain_once_made or freed:
                self._stack.entries[name] = replace(entry, retain=False)

    async def _make(self, definition: Members) -> None:
        job = await self._job(definition)
        job.begin()
        await job.make()
        self._check_outputs()

    async def _job(self, definition: Members) -> Applying:
        stack = self._stack
        template = parsed(self._ground.template(definition))
        prepared = await prepared_for(self._ground, stack, template, definition["Given"])
        around = surroundings(stack, self._means())
        return Applying(prepared, around, stack, self._records, self._on_step, self._exists)

    def _means(self) -> Means:
        return self._ground.means_of(self._stack.body | {"RoleARN": self._stack.body["Definition"].get("RoleARN")})

    async def _remove_all(self, retained: object = ()) -> str:
        """Empty where everything is gone, else what to say of what is not."""
        stack = self._stack
        remover = Remover(stack, surroundings(stack, self._means()), self._records, self._on_step, self._exists)
        await remover.run(tuple(stack.entries), retained if isinstance(retained, list) else ())
        if not remover.failed:
            return ""
        return f"The following resource(s) failed to delete: [{', '.join(sorted(remover.failed))}]. "

    def _on_step(self, step: Step) -> None:
        if self._undoing or step.action in ("delete", "keep"):
            return
        if self._cancelled():
            raise AlightError("Resource update cancelled")
        minutes = self._stack.body.get("TimeoutInMinutes")
        end = self._stack.body["Created"] + 60 * (minutes or 0)
        if minutes and self._stack.status == "CREATE_IN_PROGRESS" and self._clock.now() > end:
            raise AlightError("Stack creation time exceeded the specified timeout. Rolling back.")

    def _check_outputs(self) -> None:
        """All have values, names of exports are nobody else's, and what others import stays as it is."""
        stack, means = self._stack, self._ground.means()
        try:
            outputs = list(told(stack, means.base_url, whole=True))
        except Unresolvable as error:
            raise AlightError(f"{'.'.join(map(str, error.steps))}: {error.message}") from None
        own = {output.export: output.value for output in outputs if output.export}
        others = exports(means.records, means.base_url)
        for name in own:
            if name in others and others[name].stack != stack.arn:
                raise AlightError(f"Export with name {name} is already exported by stack {others[name].stack}.")
        before = {name: one.value for name, one in others.items() if one.stack == stack.arn}
        changed = {name for name, value in before.items() if own.get(name) != value}
        for name, by in imported(self._ground, changed, stack).items():
            verb = "updated" if name in own else "deleted"
            raise AlightError(f"Export {name} cannot be {verb} as it is in use by {by}")


def take_back(stack: Stack) -> None:
    """What was replaced in this update is what the stack has again; what replaced it is to go."""
    replaced, stack.leftovers = stack.leftovers, []
    for logical_id, before in reversed(replaced):
        if logical_id in stack.entries:
            stack.leftovers.append((logical_id, replace(stack.entries[logical_id], retain_replaced=False)))
        stack.entries[logical_id] = before


def imported(ground: Ground, names: set[str], exporter: Stack) -> Mapping[str, str]:
    """Which of these exports are in use, and by which stack (one of them)."""
    found: dict[str, str] = {}
    for stack in ground.stacks():
        for name in names & set(stack.body.get("Imports", {})) if stack.arn != exporter.arn else ():
            found.setdefault(name, stack.name)
    return found


def _failed(verb: str, error: Exception) -> str:
    if isinstance(error, ApplyFailed) and error.logical_id:
        return f"The following resource(s) failed to {verb}: [{error.logical_id}]. "
    return error.message if isinstance(error, AlightError | Fault) else str(error)


_WORK: Mapping[str, Callable[[Driver], Awaitable[None]]] = {
    "CREATE_IN_PROGRESS": Driver.create,
    "ROLLBACK_IN_PROGRESS": Driver.roll_back,
    "UPDATE_IN_PROGRESS": Driver.update,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Driver.clean_up,
    "UPDATE_ROLLBACK_IN_PROGRESS": Driver.roll_back_update,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Driver.clean_up,
    "DELETE_IN_PROGRESS": Driver.delete,
}
UNDER_WAY = frozenset(_WORK)

"""The plan is carried out, in order of need, by the services' own operations.

The stack's record is saved before and after every resource. Where one fails, what was done stays recorded, and the
failure says what and where; whoever asked decides whether it is gone on with (`apply`) or taken back (`service`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from alight.errors import AlightError, Fault
from alight.stacks.existing import Exists
from alight.stacks.plan import Considered, Step, Walk
from alight.stacks.prepare import Prepared
from alight.stacks.problems import ApplyFailed, TemplateRefused, line_of, told
from alight.stacks.provider import Surroundings
from alight.stacks.record import Entry, Stack, physical_id
from alight.stacks.removing import Remover, clear
from alight.store.records import Records

_log = logging.getLogger(__name__)
_SECTIONS = ("Conditions", "Mappings", "Outputs")
_VERBS = {"create": "CREATE", "update": "UPDATE", "replace": "UPDATE"}


class Applying:
    """One run over one stack.

    With `exists` it keeps to CloudFormation's rules: what is there already is not taken over, and nothing that a
    template names itself is replaced under its name. Without, the next run makes room and goes on.
    """

    def __init__(
        self,
        prepared: Prepared,
        around: Surroundings,
        stack: Stack,
        records: Records,
        on_step: Callable[[Step], None],
        exists: Exists | None = None,
    ) -> None:
        self.stack = stack
        self.warnings: list[str] = []
        self._prepared = prepared
        self._around = around
        self._records = records
        self._on_step = on_step
        self._exists = exists
        self._walk = Walk(prepared, around, stack)

    def begin(self) -> None:
        """The record follows this template from now on."""
        body = self._prepared.body
        for section in _SECTIONS:
            self.stack.body.pop(section, None)
        self.stack.body |= {section: body[section] for section in _SECTIONS if section in body}
        self.stack.body |= {
            "Template": str(self._prepared.template.path),
            "Parameters": dict(self._prepared.parameters),
            "Imports": dict(self._prepared.imports),
        }

    async def make(self) -> None:
        """Create and change what is to be, and wait until it is of use. Raises `AlightError`."""
        settling = [taken for logical_id in self._prepared.order if (taken := await self._take(logical_id))]
        for taken in settling:
            await self._settle(taken)

    async def clean(self) -> Remover:
        """Remove what is no longer to be, and what was replaced."""
        remover = Remover(self.stack, self._around, self._records, self._on_step, self._exists)
        await remover.run(self.superfluous())
        self.warnings += remover.warnings
        return remover

    def superfluous(self) -> tuple[str, ...]:
        """What the stack has and the template does not."""
        return tuple(name for name in self.stack.entries if name not in self._prepared.order)

    async def _take(self, logical_id: str) -> Considered | None:
        """Carry out one step; the answer is what has to be waited for, if anything."""
        considered = await self._considered(logical_id)
        step = considered.step
        if step.action == "none":
            self.stack.entries[logical_id] = considered.entry
            return None
        try:
            self._on_step(step)
            entry = await (self._update(considered) if step.action == "update" else self._create(considered))
        except (Fault, AlightError) as error:
            raise self._failed(considered, error) from error
        except Exception as error:
            # Not a refusal but a fault of ours: told with its place all the same, and kept in full.
            _log.exception("%s of %s failed", step.action, step.logical_id)
            raise self._failed(considered, error) from error
        status = entry.status if considered.provider.settle else "done"
        self._walk.entries[logical_id] = self.stack.entries[logical_id] = entry = replace(entry, status=status)
        if considered.provider.settle is None:
            self._note(considered, entry, "COMPLETE")
        await self.stack.save(self._records)
        return considered if considered.provider.settle else None

    async def _considered(self, logical_id: str) -> Considered:
        try:
            return await self._walk.consider(logical_id)
        except TemplateRefused as refused:
            if self._exists is None:
                raise
            # What another resource's creation told does not fit: the failure is this resource's.
            before = self.stack.entries.get(logical_id)
            entry = before or Entry(self._prepared.resource(logical_id)["Type"], "", "creating", 0, {}, {})
            status = "UPDATE_FAILED" if before else "CREATE_FAILED"
            self.stack.note(self._around.clock.now(), logical_id, entry, status, refused.message)
            raise ApplyFailed(refused.message, logical_id=logical_id) from refused

    async def _create(self, considered: Considered) -> Entry:
        step, before = considered.step, considered.before
        entry = replace(considered.entry, status="creating", known={})
        if self._exists is not None:
            await self._keep_to_the_rules(considered, self._exists)
        if before is not None and step.action == "replace" and before.name != step.name:
            self.stack.leftovers.append((step.logical_id, before))
        self.stack.entries[step.logical_id] = entry
        self._note(considered, entry, "IN_PROGRESS", step.reason if step.action == "replace" else "")
        await self.stack.save(self._records)
        cut_off = considered.provider.free and before is not None and before.status == "creating"
        if before is not None and before.name == step.name and not cut_off:
            await clear(before, self._around, step.logical_id)
        known = await considered.provider.create(considered.work)
        return replace(entry, known=known or {})

    async def _keep_to_the_rules(self, considered: Considered, exists: Exists) -> None:
        step, before = considered.step, considered.before
        if step.action == "replace" and before is not None and physical_id(before) == physical_id(considered.entry):
            raise AlightError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {step.name} and update the stack again."
            )
        begun = before is not None and before.status == "creating" and before.name == step.name
        if not begun and await exists(step.type, considered.work):
            raise AlightError(f"{step.name} already exists")

    async def _update(self, considered: Considered) -> Entry:
        work, before = considered.work, considered.before
        if before is None or considered.provider.update is None:
            raise AssertionError(f"an update of nothing: {considered.step}")
        # Until it is done, the record holds what was, so that the next apply sees the difference again.
        self.stack.entries[work.logical_id] = replace(before, status="updating", attempted=work.properties)
        self._note(considered, considered.entry, "IN_PROGRESS")
        await self.stack.save(self._records)
        if before.attempted:
            # Nobody knows how far another change had come: it is undone from both ends.
            await considered.provider.update(replace(work, before=before.attempted))
        known = await considered.provider.update(work) or {}
        if known.get("Ref", work.known.get("Ref")) != work.known.get("Ref"):
            # The function has put something else in its place: what was there goes when all is done.
            self.stack.leftovers.append((work.logical_id, replace(before, status="done")))
        return replace(considered.entry, known={**work.known, **known}, status="updating")

    async def _settle(self, considered: Considered) -> None:
        if considered.provider.settle is None:
            return
        try:
            await considered.provider.settle(considered.work)
        except (Fault, AlightError) as error:
            raise self._failed(considered, error) from error
        logical_id = considered.step.logical_id
        self.stack.entries[logical_id] = entry = replace(self.stack.entries[logical_id], status="done")
        self._note(considered, entry, "COMPLETE")
        await self.stack.save(self._records)

    def _note(self, considered: Considered, entry: Entry, outcome: str, reason: str = "") -> None:
        status = f"{_VERBS[considered.step.action]}_{outcome}"
        self.stack.note(self._around.clock.now(), considered.step.logical_id, entry, status, reason)

    def _failed(self, considered: Considered, error: Exception) -> ApplyFailed:
        step, template = considered.step, self._prepared.template
        self._note(considered, considered.entry, "FAILED", told(error))
        line = line_of(template, ("Resources", step.logical_id))
        hint = error.hint if isinstance(error, AlightError) else ""
        return ApplyFailed(
            f"{template.path}:{line}: {step.action} of {step.logical_id} ({step.type} {step.name}) failed: "
            f"{told(error)}",
            hint or "What was done before stays; apply again when it is corrected.",
            step.logical_id,
        )

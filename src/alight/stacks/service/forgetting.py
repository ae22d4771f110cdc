"""What nobody asks for any more: templates of earlier updates, and stacks that were deleted long ago."""

from __future__ import annotations

from collections.abc import Iterator

from alight.calls import Members
from alight.stacks.record import CHANGE_SET, EVENT, GONE, TEMPLATE, Stack
from alight.store.records import Record, Records

#: Records forgotten in one job, so that nobody waits long behind it.
_BATCH = 500
_Doomed = list[tuple[str, str, Members | None]]


async def forget_templates(records: Records, stack: Stack, *, change_sets: bool = False) -> None:
    """Drop the templates that neither the stack nor a change set of it means; with `change_sets` drop those too."""
    sets = list(_all(records, CHANGE_SET, f"{stack.arn}/"))
    meant = {stack.body.get("Definition", {}).get("Template")}
    doomed: _Doomed = []
    if change_sets:
        doomed += [(CHANGE_SET, one.name, None) for one in sets]
    else:
        meant |= {one.body["Definition"]["Template"] for one in sets if not one.body["Executed"]}
        meant.add(stack.body.get("Previous", {}).get("Template"))
    doomed += [(TEMPLATE, one.name, None) for one in _all(records, TEMPLATE, f"{stack.arn}/") if one.name not in meant]
    if doomed:
        await records.save_all(doomed)


async def forget_gone(records: Records, before: float) -> None:
    """Drop stacks that were deleted before that moment, with their events."""
    for gone in list(_all(records, GONE, "")):
        if gone.body.get("Deleted", 0) >= before:
            continue
        doomed: _Doomed = [
            (kind, one.name, None) for kind in (EVENT, TEMPLATE) for one in _all(records, kind, f"{gone.name}/")
        ]
        for start in range(0, len(doomed), _BATCH):
            await records.save_all(doomed[start : start + _BATCH])
        await records.remove(GONE, gone.name)


def _all(records: Records, kind: str, prefix: str) -> Iterator[Record]:
    after = ""
    while found := records.list(kind, prefix, after):
        yield from found
        after = found[-1].name

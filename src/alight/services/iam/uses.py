"""When a user's key was last used: noted beside every call that was let in with it."""

from __future__ import annotations

from collections.abc import Awaitable

from alight.calls import Call, Handler, Members, Operations
from alight.services.iam.access_keys import AccessKeys


def noted(operations: Operations, keys: AccessKeys) -> dict[tuple[str, str], Handler]:
    """The same table, each handler leaving a note of the key that signed the call."""
    return {place: _noted(handler, keys) for place, handler in operations.items()}


def _noted(handler: Handler, keys: AccessKeys) -> Handler:
    async def leaving_a_note(call: Call, given: Members) -> Members:
        await keys.note_use(call.principal.key_id, call.service)
        return await handler(call, given)

    def noted(call: Call, given: Members) -> Awaitable[Members]:
        return leaving_a_note(call, given) if call.principal.key_id else handler(call, given)

    return noted

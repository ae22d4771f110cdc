"""STS: who am I? Workers get their credentials from the pool; taking other roles by hand is not offered yet."""

from __future__ import annotations

from alight import names
from alight.calls import Call, Handler, Members
from alight.services.members import Table, guarded, support

TABLE: Table = {"GetCallerIdentity": support()}


async def get_caller_identity(call: Call, given: Members) -> Members:
    """The caller as the gateway knows it; the owner's `UserId` is the account, as for AWS's root."""
    return {"UserId": call.principal.user_id, "Account": names.ACCOUNT, "Arn": call.principal.arn}


def operations() -> dict[tuple[str, str], Handler]:
    return guarded("sts", TABLE, {"GetCallerIdentity": get_caller_identity})

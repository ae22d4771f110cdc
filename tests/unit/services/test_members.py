"""Given members are honoured, neutral or refused by name; there is no fourth way."""

from __future__ import annotations

import pytest

from alight.calls import ANONYMOUS, Call, Members
from alight.errors.common import NotImplemented_
from alight.services.members import check, guarded, support

CALL = Call("s3", "PutObject", "id", ANONYMOUS)


async def echo(call: Call, given: Members) -> Members:
    return given


def test_check_names_operation_and_member() -> None:
    check("s3", "PutObject", {"Key": "k", "StorageClass": "STANDARD", "MFA": None}, {"Key"}, {"StorageClass"})
    with pytest.raises(NotImplemented_, match="MFA of s3 PutObject"):
        check("s3", "PutObject", {"Key": "k", "MFA": "1"}, {"Key"})


async def test_guarded_handlers() -> None:
    operations = guarded("s3", {"PutObject": support("Key", "Tags")}, {"PutObject": echo})
    handler = operations["s3", "PutObject"]
    assert await handler(CALL, {"Key": "k", "Tags": {}}) == {"Key": "k", "Tags": {}}
    with pytest.raises(NotImplemented_, match="Body of s3 PutObject"):
        await handler(CALL, {"Body": b""})


def test_a_table_and_its_handlers_agree() -> None:
    with pytest.raises(ValueError, match="GetObject"):
        guarded("s3", {"PutObject": support()}, {"PutObject": echo, "GetObject": echo})
    with pytest.raises(ValueError, match="PutObject"):
        guarded("s3", {"PutObject": support()}, {})

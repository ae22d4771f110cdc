"""What a request may carry as code."""

from __future__ import annotations

from pathlib import Path

import pytest

from alight.calls import Call, Principal
from alight.errors.lambda_ import RequestEntityTooLargeException
from alight.services.lambda_.sources import Sources


async def test_a_zip_that_no_request_to_lambda_could_carry_is_refused(tmp_path: Path) -> None:
    async def fetch(bucket: str, key: str, version: str) -> Path:
        raise AssertionError("nothing lies in a bucket")

    sources = Sources(tmp_path, fetch, lambda line: None)
    call = Call("lambda", "UpdateFunctionCode", "id", Principal("root", "arn", "0"))
    with pytest.raises(RequestEntityTooLargeException, match="smaller than 69905067 bytes for the UpdateFunctionCode"):
        await sources.code(call, {"ZipFile": bytes(52_428_900)}, "python3.11")
    assert not list(tmp_path.iterdir())

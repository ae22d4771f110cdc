"""The two spellings of one request's id: the UUID that everything is linked by, and API Gateway's short form of it.

A REST API answers with both (`x-amzn-RequestId`, `x-amz-apigw-id`), an HTTP API with the short one alone
(`apigw-requestid`), so the UUID can be read back from it: `alight explain` takes either.
"""

from __future__ import annotations

import base64
import re
import uuid
from functools import lru_cache

_SHORT = re.compile(r"[A-Za-z0-9_-]{22}(==)?")


@lru_cache(maxsize=64)
def short_id(request_id: str) -> str:
    """`JKJaXmPLvHcESHAJKJaXmA==`: the UUID's bytes."""
    return base64.urlsafe_b64encode(bytes.fromhex(request_id.replace("-", ""))).decode("ascii")


def long_id(text: str) -> str | None:
    """The UUID behind a short id, None where it is none."""
    if not _SHORT.fullmatch(text):
        return None
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(text[:22] + "==")))

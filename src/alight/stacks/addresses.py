"""Outputs that spell AWS's own host of something in the stack are shown as the address that serves it here. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from alight.names import REGION

_WEBSITE = re.compile(
    rf"https?://(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3-website[.-]{REGION}\.amazonaws\.com(?![\w.-])", re.IGNORECASE
)


def local(value: Any, base_url: str, buckets: Container[str]) -> Any:
    """`value` with the website hosts of the stack's own buckets replaced; other values and hosts as they are."""
    if not isinstance(value, str):
        return value

    def served(found: re.Match[str]) -> str:
        bucket = found["bucket"].lower()
        return f"{base_url}/_aws/s3-website/{bucket}" if bucket in buckets else found[0]

    return _WEBSITE.sub(served, value)

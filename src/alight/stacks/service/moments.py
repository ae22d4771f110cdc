"""Moments as CloudFormation tells them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """To the millisecond, as on AWS."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)

"""The SNS door, as the notifications room's tests open it."""

from __future__ import annotations

from tests.unit.notifications.conftest import open_house

__all__ = ["open_house"]

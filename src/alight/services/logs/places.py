"""Which group and stream a request means; tokens of pages, and moments as the service writes them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from alight.calls import Members
from alight.errors.logs import InvalidParameterException, ResourceNotFoundException
from alight.names import log_group_arn
from alight.store.records import Records
from alight.store.rows import Row
from alight.store.telemetry import Telemetry

KIND = "logs:group"
_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_STREAM_NAME = re.compile(r"[^:*]{1,512}")
_ARN = log_group_arn("")


@dataclass(frozen=True, slots=True)
class Places:
    """Groups are there by their record, or because something was logged to them."""

    records: Records
    telemetry: Telemetry

    async def group(self, given: Members) -> str:
        """By name or ARN. Raises where there is none."""
        name: str = given.get("logGroupName") or group_of(given.get("logGroupIdentifier") or "")
        if not name:
            raise InvalidParameterException("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        await self.check(name)
        return name

    async def check(self, name: str) -> None:
        """Raises where there is none: a function's first line may wait to be written."""
        if self.records.get(KIND, name) is not None:
            return
        await self.telemetry.flush()
        if not self._written(name):
            raise ResourceNotFoundException("The specified log group does not exist.")

    def stream(self, group: str, name: str) -> Row:
        """Raises where there is none."""
        found = next((row for row in self.telemetry.streams(group, name, limit=1) if row["stream"] == name), None)
        if found is None:
            raise ResourceNotFoundException("The specified log stream does not exist.")
        return found

    def retention(self, group: str) -> int | None:
        """Days, where the group has its own."""
        record = self.records.get(KIND, group)
        days: int | None = record.body.get("retentionInDays") if record else None
        return days

    def _written(self, name: str) -> bool:
        return any(row["log_group"] == name for row in self.telemetry.groups(name, limit=1))


def group_of(identifier: str) -> str:
    """A group's name from its name or ARN, with or without `:*` behind it."""
    return identifier.removeprefix(_ARN).removesuffix(":*")


def check_group_name(name: str) -> str:
    if not _GROUP_NAME.fullmatch(name):
        raise InvalidParameterException(
            f"1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    return name


def check_stream_name(name: str) -> str:
    if not _STREAM_NAME.fullmatch(name):
        raise InvalidParameterException(
            f"1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [^:*]*"
        )
    return name


def limit(given: Members, most: int) -> int:
    count: int = given.get("limit") or most
    if not 1 <= count <= most:
        raise InvalidParameterException(f"The parameter limit must be from 1 to {most}.")
    return count


def token(kind: str, place: tuple[float, int]) -> str:
    """Where the next page starts: direction, time and id of the last event."""
    return base64.urlsafe_b64encode(f"{kind}/{place[0]!r}/{place[1]}".encode()).decode()


def position(given: str | None) -> tuple[str, tuple[float, int] | None]:
    if not given:
        return "", None
    try:
        kind, moment, number = base64.b64decode(given.encode(), altchars=b"-_", validate=True).decode().split("/")
        return kind, (float(moment), int(number))
    except ValueError:
        raise InvalidParameterException("The specified nextToken is invalid.") from None


def whole(text: str) -> int:
    if not text.isdecimal():
        raise InvalidParameterException("The specified nextToken is invalid.")
    return int(text)


def millis(seconds: float) -> int:
    # A float holds 1700000000.001 as a little less; what is finer than that is cut off, so that whoever goes on from
    # the last moment that he was told misses nothing.
    return int(seconds * 1000 + 0.001)


def seconds(given: int | None, default: float) -> float:
    return default if given is None else given / 1000

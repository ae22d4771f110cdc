"""Metrics of telemetry: values in, minutes and series out. `Telemetry` is this and the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from alight.clock import Clock
from alight.store.minutes import Column, Place, Tally, Together, Told, minute_of, pairs, tally_of
from alight.store.rows import Reader, Row
from alight.store.telemetry_writer import TelemetryWriter, dumped

FOREVER = sys.float_info.max
#: Series that are kept ready to be told.
REMEMBERED = 4_096


class Minute(NamedTuple):
    """One minute of a metric in one unit; `start` in seconds since 1970."""

    start: int
    unit: str
    tally: Tally


def together(namespace: str, columns: tuple[Column, ...], *dimensions: Mapping[str, str]) -> Together:
    """Metrics (name, unit) that are told together, under each of the `dimensions`; to be made once."""
    return Together(namespace, columns, tuple(map(pairs, dimensions)))


def by_resource(
    metrics: Metrics, namespace: str, place: Callable[[str], Mapping[str, str]], units: Mapping[str, str]
) -> Callable[[str, str, float, int], None]:
    """What tells a metric of a resource (resource, metric, value, how often), on the event loop. `place` makes
    dimensions of the resource; what `units` does not name is a count."""
    known: dict[tuple[str, str], Together] = {}

    def tell(resource: str, name: str, value: float, times: int) -> None:
        unit = units.get(name, "Count")
        if times != 1:
            metrics.metric(namespace, name, value, place(resource), unit=unit, times=times)
            return
        series = known.get((resource, name))
        if series is None:
            if len(known) >= REMEMBERED:
                known.clear()
            series = known[resource, name] = together(namespace, ((name, unit),), place(resource))
        metrics.tell(series, float(value))

    return tell


class Metrics:
    """The part of `telemetry.db` that counts. Times are seconds since 1970; readers see what was flushed."""

    def __init__(self, clock: Clock, reader: Reader, writer: TelemetryWriter) -> None:
        self._clock = clock
        self._reader = reader
        self._writer = writer

    @property
    def uncounted(self) -> int:
        """Values and minutes of metrics that were not kept since the start."""
        return self._writer.uncounted

    def metric(
        self,
        namespace: str,
        name: str,
        value: float,
        dimensions: Mapping[str, str],
        *,
        unit: str = "None",
        timestamp: float | None = None,
        times: float = 1.0,
    ) -> None:
        """A value of a metric that came so many `times`; now, unless `timestamp` says when."""
        place = self._place(namespace, name, dimensions, unit, timestamp)
        if not self._writer.minutes.add(place, float(value), times):
            self._writer.lose(1)

    def tell(self, together: Together, *values: float, timestamp: float | None = None) -> None:
        """A value for each of the metrics that are told together (`together`)."""
        moment = self._clock.now() if timestamp is None else timestamp
        self._writer.minutes.tell(minute_of(moment), (together, values))

    def tell_all(self, *told: Told) -> None:
        """The same for several groups of metrics at once, now."""
        self._writer.minutes.tell(minute_of(self._clock.now()), *told)

    def metric_statistics(
        self, namespace: str, name: str, given: Tally, dimensions: Mapping[str, str], unit: str, timestamp: float | None
    ) -> None:
        """Values of which only the statistics are known."""
        if not self._writer.minutes.take_statistics(self._place(namespace, name, dimensions, unit, timestamp), given):
            self._writer.lose(1)

    def _place(
        self, namespace: str, name: str, dimensions: Mapping[str, str], unit: str, timestamp: float | None
    ) -> Place:
        moment = self._clock.now() if timestamp is None else float(timestamp)
        return Place(minute_of(moment), namespace, name, pairs(dimensions), unit)

    def minutes(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        start: float = 0.0,
        end: float = FOREVER,
    ) -> list[Minute]:
        """A metric's minutes under exactly these dimensions that began from `start` up to, not including, `end`."""
        key = {"namespace": namespace, "name": name, "dimensions": dumped(dict(dimensions))}
        rows = self._reader.all("telemetry.minutes", start=start, end=end, **key)
        return [
            Minute(
                row["minute"],
                row["unit"],
                tally_of(row["count"], row["sum"], row["low"], row["high"], row["spread"]),
            )
            for row in rows
        ]

    def series(
        self,
        namespace: str | None = None,
        name: str | None = None,
        since: float = 0.0,
        after: tuple[str, str, str] = ("", "", ""),
        limit: int = 10_000,
    ) -> list[Row]:
        """Which metrics there are (namespace, name, dimensions, last_ts, place), of those that had values after
        `since`; `place` is what the next page's `after` is."""
        behind = dict(zip(("after_namespace", "after_name", "after_dimensions"), after, strict=True))
        rows = self._reader.all("telemetry.series", namespace=namespace, name=name, since=since, limit=limit, **behind)
        return [
            row
            | {
                "dimensions": json.loads(row["dimensions"]),
                "place": (row["namespace"], row["name"], row["dimensions"]),
            }
            for row in rows
        ]

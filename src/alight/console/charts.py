"""Figures of CloudWatch as the pages draw them: a line of a few points, or columns for a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alight.console.world import World

#: Width and height of a small line, in its own units.
WIDTH, HEIGHT = 120.0, 24.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: which metric, which statistic, what it is called."""

    metric: str
    statistic: str
    name: str
    scale: float = 1.0


async def chart(
    world: World, namespace: str, dimensions: dict[str, str], lines: Sequence[Line], *, minutes: int, period: int = 60
) -> dict[str, Any]:
    """`{"names", "columns"}`: the first column are times in seconds since 1970, each further one a line's values, None
    where there is none."""
    end = world.clock.now()
    end = end - end % period + period
    times = [end - minutes * 60 + step * period for step in range(minutes * 60 // period)]
    columns: list[list[float | None]] = []
    for line in lines:
        known = await _values(world, namespace, line, dimensions, times[0], end, period)
        columns.append([known.get(moment) for moment in times])
    return {"names": [line.name for line in lines], "columns": [times, *columns]}


async def figure(
    world: World, namespace: str, metric: str, statistic: str, dimensions: dict[str, str], minutes: int
) -> float | None:
    """One number for the last `minutes`; None where nothing was measured."""
    end = world.clock.now()
    end = end - end % 60 + 60
    line = Line(metric, statistic, "")
    found = await _values(world, namespace, line, dimensions, end - minutes * 60, end, minutes * 60)
    return next(iter(found.values()), None)


def sparkline(values: Sequence[float | None]) -> str:
    """The `points` of a polyline in a box of WIDTH by HEIGHT; empty where there is nothing to draw."""
    known = [value or 0.0 for value in values]
    highest = max(known, default=0.0)
    if not highest:
        return ""
    step = WIDTH / max(len(known) - 1, 1)
    return " ".join(
        f"{place * step:.1f},{HEIGHT - 2 - value / highest * (HEIGHT - 4):.1f}" for place, value in enumerate(known)
    )


async def _values(
    world: World, namespace: str, line: Line, dimensions: dict[str, str], start: float, end: float, period: int
) -> dict[float, float]:
    kind = "ExtendedStatistics" if line.statistic.startswith("p") else "Statistics"
    answer = await world.call(
        "cloudwatch",
        "GetMetricStatistics",
        {
            "Namespace": namespace,
            "MetricName": line.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "Period": period,
            kind: [line.statistic],
        },
    )
    found = {}
    for point in answer["Datapoints"]:
        value = point["ExtendedStatistics"][line.statistic] if kind == "ExtendedStatistics" else point[line.statistic]
        found[point["Timestamp"].timestamp()] = value * line.scale
    return found

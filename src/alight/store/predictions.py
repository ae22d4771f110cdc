"""What models answered to functions: rows of telemetry, for stories and for those who look for a label."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from alight.store.rows import Reader, Row
from alight.store.telemetry_writer import Entry


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. `ts` is in seconds since 1970, `duration` in seconds; `guesses` are (label, confidence), the
    likeliest first; `request` and `answer` are the beginnings of texts."""

    request_id: str
    event_id: str
    endpoint: str
    variant: str
    ts: float
    duration: float
    content_type: str
    request: str
    answer: str
    label: str
    confidence: float | None
    guesses: tuple[tuple[str, float | None], ...] = ()


class Predictions:
    """Predictions of one `telemetry.db`."""

    def __init__(self, reader: Reader, add: Callable[[Entry], None]) -> None:
        self._reader = reader
        self._add = add

    def add(self, prediction: Prediction) -> None:
        """Never waits, never fails."""
        row: Row = {name: getattr(prediction, name) for name in Prediction.__slots__}
        row["guesses"] = json.dumps(prediction.guesses)
        self._add(Entry("telemetry.prediction", row))

    def of_requests(self, ids: Sequence[str]) -> dict[str, list[Prediction]]:
        """Those of each of these requests, in the order of time."""
        found: dict[str, list[Prediction]] = {}
        for row in self._reader.all("telemetry.predictions_of_requests", ids=json.dumps(list(ids))):
            found.setdefault(row["request_id"], []).append(_prediction(row))
        return found

    def alone(self, *, before: float, limit: int) -> list[Prediction]:
        """From the newest before `before` back: those that no event caused (somebody waited for them)."""
        rows = self._reader.all("telemetry.predictions_alone", before=before, limit=limit)
        return [_prediction(row) for row in rows]

    def newest(self, *, before: float, limit: int, label: str = "", least: float = 0.0) -> list[Prediction]:
        """From the newest before `before` back: those of a label, or at least so sure, or both. What has no confidence
        is not sure of anything."""
        given: dict[str, Any] = {"before": before, "limit": limit, "least": least}
        if label:
            rows = self._reader.all("telemetry.predictions_of_label", label=label, **given)
        else:
            rows = self._reader.all("telemetry.predictions_sure", **given)
        return [_prediction(row) for row in rows]


def _prediction(row: Row) -> Prediction:
    fields: dict[str, Any] = {name: row[name] for name in Prediction.__slots__}
    fields["guesses"] = tuple((label, confidence) for label, confidence in json.loads(row["guesses"]))
    return Prediction(**fields)

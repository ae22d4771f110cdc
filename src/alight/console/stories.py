"""Stories as rows of a list: the event, its picture or text, what the model said, what was told and to whom.

Two sources flow together by time: events of the journal, and answers that somebody waited for (an API's caller),
which no event caused and telemetry alone knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from alight.store import chosen, journal
from alight.store.database import Database, Reader
from alight.store.journal import Event, State
from alight.store.outbox import OutboxStore, Told
from alight.store.predictions import Prediction, Predictions
from alight.store.telemetry import Telemetry

LATEST = float(1 << 62)
#: What a row is told of the ends of those who were waited for.
ANSWERED = "answered"
#: Rows that are looked at for one page at most, where a filter leaves most of them out.
MOST_LOOKED_AT = 5_000
STEP = 200
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants to see. `function` is an ARN; `least` is a confidence; `since` and `until` (which itself is
    left out) are in seconds since 1970."""

    function: str = ""
    label: str = ""
    least: float = 0.0
    outcome: str = ""
    since: float = 0.0
    until: float = LATEST

    def admits(self, row: Row) -> bool:
        """Whether a new row belongs into this reader's list."""
        return (
            self.is_about(row.function_arn)
            and (not self.label or row.label == self.label)
            and (not self.least or (row.confidence is not None and row.confidence >= self.least))
            and (not self.outcome or row.state == self.outcome)
            and self.since <= row.when < self.until
        )

    def is_about(self, function: str) -> bool:
        """Whether this ARN is the wanted function's, or that of a version or alias of it."""
        return not self.function or f"{function}:".startswith(f"{self.function}:")


@dataclass(frozen=True, slots=True)
class Row:
    """One story in brief. `took` is in seconds from acceptance to end; `bucket` and `key` name an object."""

    id: str
    when: float
    state: str
    function_arn: str = ""
    attempts: int = 0
    took: float | None = None
    bucket: str = ""
    key: str = ""
    text: str = ""
    endpoint: str = ""
    label: str = ""
    confidence: float | None = None
    error: str = ""
    messages: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    seq: int = 0

    @property
    def function(self) -> str:
        """Its name, with the version or alias where it has one."""
        return self.function_arn.partition(":function:")[2]

    @property
    def is_picture(self) -> bool:
        return self.key.lower().endswith(IMAGES)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen by itself: it is over, and no message is under way."""
        under_way = any(one.endswith((": ready", ": sending")) for one in self.told)
        return self.state not in (State.PENDING, State.RUNNING) and not under_way


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first; `next` is the moment before which the next page begins, None at the end."""

    rows: list[Row]
    next: float | None


class Stories:
    """Lists of stories. `page` looks at much where a filter is narrow: call it apart from the loop."""

    def __init__(self, database: Database, outbox: OutboxStore, telemetry: Telemetry) -> None:
        self._database = database
        self._outbox = outbox
        self._telemetry = telemetry

    def page(self, wanted: Wanted, limit: int) -> Page:
        """Rows before `wanted.until` (blocks)."""
        work = self._predicted if wanted.label or wanted.least else self._all
        return self._database.run_apart(
            lambda reader: self._telemetry.run_apart(lambda predictions: work(reader, predictions, wanted, limit))
        )

    def of(self, events: Sequence[Event]) -> list[Row]:
        """These events as rows."""
        return self._rows(self._database.read(), self._telemetry.predictions, events)

    def answered(self, predictions: Iterable[Prediction]) -> list[Row]:
        """Answers that somebody waited for, as rows: one for each request, whatever it asked."""
        return [_of_prediction(one) for one in {one.request_id: one for one in predictions}.values()]

    def _rows(self, reader: Reader, predictions: Predictions, events: Sequence[Event]) -> list[Row]:
        ids = [event.id for event in events]
        answers, told = predictions.of_requests(ids), self._outbox.told(ids, reader)
        return [_of_event(event, answers.get(event.id, []), told.get(event.id, Told())) for event in events]

    def _all(self, reader: Reader, predictions: Predictions, wanted: Wanted, limit: int) -> Page:
        state = State(wanted.outcome) if wanted.outcome in State.__members__.values() else None
        rows: list[Row] = []
        if not wanted.outcome or state is not None:
            before = chosen.seq_before(reader, wanted.until)
            events = journal.newest(reader, state=state, function=wanted.function, before=before, limit=limit + 1)
            rows += self._rows(reader, predictions, events)
        if wanted.outcome in ("", ANSWERED) and not wanted.function:
            rows += self.answered(predictions.alone(before=wanted.until, limit=limit + 1))
        rows = sorted((row for row in rows if row.when >= wanted.since), key=lambda row: row.when, reverse=True)
        return Page(rows[:limit], rows[limit - 1].when if len(rows) > limit else None)

    def _predicted(self, reader: Reader, predictions: Predictions, wanted: Wanted, limit: int) -> Page:
        """By the time of the answers, of which one page looks at some only: where they do not suffice, the next page
        begins there."""
        rows: dict[str, Row] = {}
        before, looked_at, last = wanted.until, 0, wanted.until
        while looked_at < MOST_LOOKED_AT:
            found = predictions.newest(before=before, limit=STEP, label=wanted.label, least=wanted.least)
            for prediction, row in self._fitting(reader, wanted, found):
                if row.id not in rows and len(rows) == limit:
                    return Page(list(rows.values()), last)
                rows.setdefault(row.id, row)
                last = prediction.ts
            if len(found) < STEP or found[-1].ts < wanted.since:
                return Page(list(rows.values()), None)
            looked_at, before = looked_at + len(found), found[-1].ts
        return Page(list(rows.values()), before)

    def _fitting(
        self, reader: Reader, wanted: Wanted, predictions: Sequence[Prediction]
    ) -> Iterator[tuple[Prediction, Row]]:
        """Those of these answers whose story has the function and the outcome that are wanted."""
        events = {one.id: one for one in journal.some(reader, [one.event_id for one in predictions if one.event_id])}
        fitting = [one for one in predictions if _fits(wanted, events.get(one.event_id), one)]
        told = self._outbox.told([one.event_id for one in fitting if one.event_id], reader)
        for one in fitting:
            event = events.get(one.event_id)
            yield one, _of_event(event, [one], told.get(event.id, Told())) if event else _of_prediction(one)


def _fits(wanted: Wanted, event: Event | None, prediction: Prediction) -> bool:
    if event is None:
        # What has no event was waited for; what lost its event was forgotten with it.
        is_late_enough = prediction.ts >= wanted.since
        return is_late_enough and not prediction.event_id and not wanted.function and wanted.outcome in ("", ANSWERED)
    is_late_enough = event.accepted >= wanted.since
    return is_late_enough and wanted.is_about(event.function) and wanted.outcome in ("", event.state.value)


def _of_event(event: Event, predictions: Sequence[Prediction], told: Told) -> Row:
    last = predictions[-1] if predictions else None
    error = event.error or {}
    return Row(
        id=event.id,
        seq=event.seq,
        when=event.accepted,
        state=event.state.value,
        function_arn=event.function,
        attempts=event.attempts,
        took=event.finished - event.accepted if event.finished else None,
        bucket=str(event.source.get("bucket", "")),
        key=unquote_plus(str(event.source.get("key", ""))),
        text=last.request if last else "",
        endpoint=last.endpoint if last else "",
        label=last.label if last else "",
        confidence=last.confidence if last else None,
        error=str(error.get("errorMessage") or error.get("reason") or "") if event.state is State.DEAD else "",
        messages=told.messages,
        told=told.deliveries,
    )


def _of_prediction(prediction: Prediction) -> Row:
    return Row(
        id=prediction.request_id,
        when=prediction.ts,
        state=ANSWERED,
        took=prediction.duration,
        text=prediction.request,
        endpoint=prediction.endpoint,
        label=prediction.label,
        confidence=prediction.confidence,
    )

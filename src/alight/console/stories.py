"""Stories as rows of a list: the event, its picture or text, what the model said, what was told and to whom.

Two sources flow together by time: events of the journal, and answers that somebody waited for (an API's caller),
which no event caused and telemetry alone knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from alight.store import journal
from alight.store.database import Database, Reader
from alight.store.journal import Event, State
from alight.store.outbox import OutboxStore
from alight.store.predictions import Prediction
from alight.store.telemetry import Telemetry

LATEST = float(1 << 62)
#: What a row is told of the ends of those who were waited for.
ANSWERED = "answered"
#: Rows that are looked at for one page at most, where a filter leaves most of them out.
MOST_LOOKED_AT = 5_000
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants to see. `function` is an ARN; `least` is a confidence; `until` in seconds since 1970."""

    function: str = ""
    label: str = ""
    least: float = 0.0
    outcome: str = ""
    until: float = LATEST

    def admits(self, row: Row) -> bool:
        """Whether a new row belongs into this reader's list."""
        return (
            (not self.function or row.function_arn == self.function)
            and (not self.label or row.label == self.label)
            and (not self.least or (row.confidence is not None and row.confidence >= self.least))
            and (not self.outcome or row.state == self.outcome)
            and row.when < self.until
        )


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
        """Rows before `wanted.until`."""
        if wanted.label or wanted.least:
            rows = self._predicted(wanted, limit + 1)
        else:
            rows = self._database.run_apart(lambda reader: self._all(reader, wanted, limit + 1))
        return Page(rows[:limit], rows[limit - 1].when if len(rows) > limit else None)

    def of(self, events: Sequence[Event]) -> list[Row]:
        """These events as rows."""
        predictions = self._telemetry.predictions.of_requests([event.id for event in events])
        return [self._row(event, predictions.get(event.id, [])) for event in events]

    def answered(self, predictions: Iterable[Prediction]) -> list[Row]:
        """Answers that somebody waited for, as rows: one for each request, whatever it asked."""
        return [_of_prediction(one) for one in {one.request_id: one for one in predictions}.values()]

    def _all(self, reader: Reader, wanted: Wanted, limit: int) -> list[Row]:
        state = State(wanted.outcome) if wanted.outcome in State.__members__.values() else None
        rows: list[Row] = []
        if not wanted.outcome or state is not None:
            before = journal.seq_before(reader, wanted.until)
            rows += self.of(journal.newest(reader, state=state, function=wanted.function, before=before, limit=limit))
        if wanted.outcome in ("", ANSWERED) and not wanted.function:
            alone = self._telemetry.predictions.newest(before=wanted.until, alone=True, limit=limit)
            rows += self.answered(alone)
        return sorted(rows, key=lambda row: row.when, reverse=True)[:limit]

    def _predicted(self, wanted: Wanted, limit: int) -> list[Row]:
        rows: dict[str, Row] = {}
        before, looked_at = wanted.until, 0
        while len(rows) < limit and looked_at < MOST_LOOKED_AT:
            found = self._telemetry.predictions.newest(
                before=before, limit=limit, label=wanted.label, least=wanted.least
            )
            if not found:
                break
            looked_at, before = looked_at + len(found), found[-1].ts
            for prediction in found:
                row = self._of(prediction)
                if row is not None and wanted.admits(row):
                    rows.setdefault(row.id, row)
        return sorted(rows.values(), key=lambda row: row.when, reverse=True)[:limit]

    def _of(self, prediction: Prediction) -> Row | None:
        if not prediction.event_id:
            return _of_prediction(prediction)
        event = journal.get(self._database.read(), prediction.event_id)
        return self._row(event, [prediction]) if event else None

    def _row(self, event: Event, predictions: Sequence[Prediction]) -> Row:
        last = predictions[-1] if predictions else None
        source, messages = event.source, self._outbox.messages_of_event(event.id)
        accepted = [message for message in messages if message.state == "accepted"]
        deliveries = [one for message in accepted for one in self._outbox.deliveries_of(message.id)]
        error = event.error or {}
        return Row(
            id=event.id,
            seq=event.seq,
            when=event.accepted,
            state=event.state.value,
            function_arn=event.function,
            attempts=event.attempts,
            took=event.finished - event.accepted if event.finished else None,
            bucket=str(source.get("bucket", "")),
            key=unquote_plus(str(source.get("key", ""))),
            text=last.request if last else "",
            endpoint=last.endpoint if last else "",
            label=last.label if last else "",
            confidence=last.confidence if last else None,
            error=str(error.get("errorMessage") or error.get("reason") or "") if event.state is State.DEAD else "",
            messages=tuple(message.body for message in accepted),
            told=tuple(f"{one.protocol} {one.target}: {one.state}" for one in deliveries),
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

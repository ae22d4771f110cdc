"""What functions were answered by endpoints, kept beside their log lines: the prediction of a story."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from pathlib import Path

from alight.calls import Attempt, Call, Handler, Members
from alight.clock import Clock
from alight.services.answers import read_answer
from alight.services.sagemaker.ledger import ENDPOINT
from alight.store.made import Made
from alight.store.predictions import Prediction
from alight.store.records import Records
from alight.store.telemetry import Telemetry

#: A model's file with the names of its classes, a line each, in the order of its answer.
LABELS = "labels.txt"
#: Characters of a request and of an answer that are kept.
EXCERPT = 2_000
_TEXT = ("text/", "application/json", "application/jsonlines")


class Predictions:
    """Stands before InvokeEndpoint. `folder` keeps the unpacked packages."""

    def __init__(self, telemetry: Telemetry, records: Records, folder: Path, clock: Clock) -> None:
        self._telemetry = telemetry
        self._records = records
        self._folder = folder
        self._clock = clock
        #: The packages of an endpoint's variants, for as long as its definition is the same.
        self._packages: Made[dict[str, str]] = Made()

    def kept(self, handler: Handler) -> Handler:
        """The same handler, leaving a row for each answer that a function got: a story is told of nothing else."""

        async def keeping(attempt: Attempt, call: Call, given: Members) -> Members:
            started = self._clock.now()
            answer = await handler(call, given)
            self._keep(attempt, given, answer, started)
            return answer

        def kept(call: Call, given: Members) -> Awaitable[Members]:
            return handler(call, given) if call.attempt is None else keeping(call.attempt, call, given)

        return kept

    def _keep(self, attempt: Attempt, given: Members, answer: Members, started: float) -> None:
        endpoint, variant, body = given["EndpointName"], answer["InvokedProductionVariant"], answer["Body"]
        if not isinstance(body, bytes):
            return
        now = self._clock.now()
        guesses = read_answer(body, self.labels(endpoint, variant))
        first = guesses[0] if guesses else None
        content_type = given.get("ContentType") or ""
        self._telemetry.predictions.add(
            Prediction(
                request_id=attempt.request_id,
                event_id=attempt.event_id or "",
                endpoint=endpoint,
                variant=variant,
                ts=now,
                duration=now - started,
                content_type=content_type,
                request=_excerpt(given.get("Body") or b"", content_type),
                answer=_excerpt(body, answer.get("ContentType") or ""),
                label=first.label if first else "",
                confidence=first.confidence if first else None,
                guesses=tuple((guess.label, guess.confidence) for guess in guesses),
            )
        )

    def labels(self, endpoint: str, variant: str) -> tuple[str, ...]:
        """The names of the classes of the model that a variant serves; none where its package has no list."""
        sha256 = self._packages_of(endpoint).get(variant)
        return _read_labels(self._folder, sha256) if sha256 else ()

    def _packages_of(self, endpoint: str) -> dict[str, str]:
        def read() -> dict[str, str]:
            record = self._records.get(ENDPOINT, endpoint)
            return {part["name"]: part["sha256"] for part in record.body["Variants"]} if record else {}

        return self._packages.get(endpoint, self._records.revision(ENDPOINT, endpoint), read)


@lru_cache(maxsize=64)
def _read_labels(folder: Path, sha256: str) -> tuple[str, ...]:
    """A package never changes under its name, so what was read once stays true."""
    try:
        return tuple((folder / sha256 / LABELS).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def _excerpt(body: bytes, content_type: str) -> str:
    """The beginning of a text; pictures and other bytes have their object to look at."""
    if not content_type.startswith(_TEXT):
        return ""
    return body[: EXCERPT * 4].decode("utf-8", "replace")[:EXCERPT]

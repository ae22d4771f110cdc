"""DataCaptureConfig: what endpoints are asked and answer, as JSON lines in a bucket.

A request only leaves its bytes here. Lines are made and written afterwards, a file for each variant and hour, every
few seconds or when there is much; what is held at a clean stop is written before the end. A bucket that cannot be
written to costs the lines, which the endpoint's log says, never an answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from alight.calls import Members
from alight.errors.sagemaker import ValidationException
from alight.names import new_request_id
from alight.services.sagemaker.acting import check_url

log = logging.getLogger(__name__)

#: Seconds that lines are gathered before a file of them is written.
INTERVAL = 5.0
#: Bytes that are written sooner, and those beyond which nothing is taken until some are written.
MUCH, MOST = 4 * 1024 * 1024, 64 * 1024 * 1024

#: (role's ARN, URL, body, content type)
Put = Callable[[str, str, bytes, str], Awaitable[None]]
#: (endpoint, variant, line) -> into the endpoint's log
Say = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request and its answer. `moment` is in seconds since 1970."""

    event_id: str
    moment: float
    asked: bytes
    asked_type: str
    answered: bytes
    answered_type: str
    inference_id: str = ""
    custom_attributes: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """What one file is of."""

    endpoint: str
    variant: str
    role: str
    settings: str


def check_settings(settings: Members) -> None:
    """Raises `ValidationException` for a DataCaptureConfig that cannot be followed."""
    check_url(settings["DestinationS3Uri"], "DestinationS3Uri")
    if not settings.get("CaptureOptions"):
        raise ValidationException("DataCaptureConfig must have one of CaptureOptions at least.")
    if not 0 <= settings["InitialSamplingPercentage"] <= 100:
        raise ValidationException("InitialSamplingPercentage must be from 0 to 100.")


class Captures:
    """`take` while requests are answered, `close` at the end."""

    def __init__(self, put: Put, say: Say) -> None:
        self._put = put
        self._say = say
        self._held: dict[_Place, list[Seen]] = {}
        self._bytes = 0
        self._credit: dict[str, float] = {}
        self._much = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def take(self, endpoint: str, variant: str, role: str, settings: Members, seen: Seen) -> None:
        """Keep a request, if it is one of those that are sampled."""
        size = len(seen.asked) + len(seen.answered)
        if not settings.get("EnableCapture", True) or not self._sampled(endpoint, settings):
            return
        if self._bytes + size > MOST:
            self._say(endpoint, variant, "A request was not captured: more is asked than can be written.")
            return
        place = _Place(endpoint, variant, role, json.dumps(settings))
        self._held.setdefault(place, []).append(seen)
        self._bytes += size
        if self._bytes >= MUCH:
            self._much.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        """Write what is held."""
        if self._writing is not None:
            self._much.set()
            await self._writing
        await self._write()

    def _sampled(self, endpoint: str, settings: Members) -> bool:
        """Evenly spread: of ten requests at 30 percent, three."""
        credit: float = self._credit.get(endpoint, 0.0) + settings["InitialSamplingPercentage"]
        self._credit[endpoint] = credit % 100 if credit >= 100 else credit
        return credit >= 100

    async def _write_on(self) -> None:
        while self._held:
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._much.wait()
            except TimeoutError:
                pass
            self._much.clear()
            await self._write()

    async def _write(self) -> None:
        held, self._held = self._held, {}
        for place, all_seen in held.items():
            settings = json.loads(place.settings)
            for hour in {_hour(seen) for seen in all_seen}:
                await self._write_file(place, settings, hour, [seen for seen in all_seen if _hour(seen) == hour])
        self._bytes -= sum(len(seen.asked) + len(seen.answered) for some in held.values() for seen in some)

    async def _write_file(self, place: _Place, settings: Members, hour: str, some: Sequence[Seen]) -> None:
        first = datetime.fromtimestamp(some[0].moment, UTC)
        name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{new_request_id()}.jsonl"
        home = check_url(settings["DestinationS3Uri"], "DestinationS3Uri")
        url = f"{home}/{place.endpoint}/{place.variant}/{hour}/{name}"
        try:
            body = await asyncio.to_thread(_lines, some, settings)
            await self._put(place.role, url, body, "application/octet-stream")
        except Exception as error:
            log.warning("captured data was not written to %s: %s", url, error)
            self._say(
                place.endpoint, place.variant, f"{len(some)} captured requests were not written to {url}: {error}"
            )


def _hour(seen: Seen) -> str:
    return f"{datetime.fromtimestamp(seen.moment, UTC):%Y/%m/%d/%H}"


def _lines(some: Sequence[Seen], settings: Members) -> bytes:
    return b"".join(json.dumps(line(seen, settings)).encode() + b"\n" for seen in some)


def line(seen: Seen, settings: Members) -> Members:
    """One line, in the form that Model Monitor reads."""
    modes = {option["CaptureMode"] for option in settings["CaptureOptions"]}
    types = settings.get("CaptureContentTypeHeader") or {}
    data: Members = {}
    if modes & {"Input", "InputAndOutput"}:
        data["endpointInput"] = _part("INPUT", seen.asked, seen.asked_type, types)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _part("OUTPUT", seen.answered, seen.answered_type, types)
    moment = datetime.fromtimestamp(seen.moment, UTC)
    about: Members = {"eventId": seen.event_id, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    if seen.inference_id:
        about["inferenceId"] = seen.inference_id
    if seen.custom_attributes:
        about["customAttributes"] = [seen.custom_attributes]
    return {"captureData": data, "eventMetadata": about, "eventVersion": "0"}


def _part(mode: str, body: bytes, content_type: str, types: Members) -> Members:
    """Text stays text for the content types that were named; all else, and what is no UTF-8, is base64."""
    plain = content_type.partition(";")[0].strip().lower()
    encoding, data = "BASE64", base64.b64encode(body).decode()
    for name, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if plain in {one.lower() for one in types.get(member) or ()}:
            try:
                encoding, data = name, body.decode()
            except UnicodeDecodeError:
                break
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

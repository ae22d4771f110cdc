"""InvokeEndpointAsync: accepted in the journal, run by the dispatcher, told in the transaction that records the end.

An accepted inference survives a crash and runs at least once; its topic is told exactly once. A model's error is not
tried again, as on AWS: it is a dead letter, which somebody may redrive. Where the endpoint is busy, inferences wait.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable

from alight.calls import Call, Members
from alight.endpoints.server import Endpoints
from alight.errors import Fault
from alight.errors.common import AccessDenied
from alight.errors.sagemaker import ModelError, ServiceUnavailable, ValidationError
from alight.events.dispatch import Result, Target, Throttled
from alight.events.ended import Deed, Ended
from alight.names import ACCOUNT, Arn, new_request_id
from alight.services.sagemaker import inferences
from alight.services.sagemaker.acting import Acting, split
from alight.services.sagemaker.capture import Say
from alight.services.sagemaker.inferences import Inference
from alight.services.sagemaker.invoking import Invoking
from alight.services.sagemaker.ledger import ENDPOINT, Ledger
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent

#: Bytes of an input object.
MOST = 128 * 1024 * 1024
#: Bytes of an input in the request itself.
MOST_INLINE = 128_000
#: Seconds: the longest and usual time in the queue, the longest and usual time of an invocation.
TTL, TIMEOUT = 21_600, 900
LEAST_TTL, LONGEST = 60, 3_600
#: Inferences of one replica at a time, where the configuration does not say.
AT_ONCE = 1

#: (tx, topic's ARN, message). Raises SNS's fault where the topic is gone.
Publish = Callable[[Tx, str, str], None]


class Asynchronous:
    """The handler, and what the dispatcher asks (`target`, `event`)."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        invoking: Invoking,
        acting: Acting,
        publish: Publish,
        say: Say,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._endpoints = endpoints
        self._invoking = invoking
        self._acting = acting
        self._publish = publish
        self._say = say
        self._wake = wake
        self._running: Counter[str] = Counter()

    async def invoke_endpoint_async(self, call: Call, given: Members) -> Members:
        record = await self._invoking.serving(given["EndpointName"])
        config = record.body.get("AsyncInferenceConfig")
        if not config:
            raise ValidationError(f"Endpoint {record.name} of account {ACCOUNT} is not an asynchronous endpoint.")
        one = _inference(record.name, record.body.get("Role") or "", config, given, self._database.clock.now())
        event = NewEvent(
            id=call.request_id,
            function=str(Arn("sagemaker", f"endpoint/{record.name}")),
            payload=one.dump(),
            source={"kind": "sagemaker", "endpoint": record.name, "input": one.input},
            accepted=one.received,
            expires=one.received + (given.get("RequestTTLSeconds") or TTL),
            retries=0,
        )

        def job(tx: Tx) -> None:
            journal.accept(tx, event)
            tx.after_commit(self._wake)

        await self._database.write(job)
        places = {"OutputLocation": one.output, "FailureLocation": one.failure}
        return {"InferenceId": one.inference_id, **{name: place for name, place in places.items() if place}}

    async def test_topics(self, endpoint: str, role: str, config: Members | None) -> None:
        """What AWS sends when an endpoint is made or changed, to see whether its topics can be told."""
        for topic in sorted({topic for topic in inferences.topics(config) if topic} if config else ()):
            await self._database.write(self._letter(role, topic, inferences.TEST, (endpoint, "async")))

    def target(self, arn: str) -> Target | None:
        name = arn.rpartition("/")[2]
        record = self._ledger.find(ENDPOINT, name)
        if record is None:
            return Target(0, disabled="EndpointNotFound", tell=self._tell)
        client = (record.body.get("AsyncInferenceConfig") or {}).get("ClientConfig") or {}
        own = {part["name"] for part in record.body["Variants"]}
        status = self._endpoints.status(name)
        replicas = sum(one.replicas for one in status.variants if one.name in own) if status else 0
        at_once = client.get("MaxConcurrentInvocationsPerInstance") or AT_ONCE
        if status is not None and status.variants:
            # One that is being started again has a line of its own; nobody would ring when it is back.
            replicas = max(1, replicas)
        return Target(max(0, replicas * at_once - self._running[name]), delays=(), tell=self._tell)

    async def event(self, event: Event) -> Result:
        """Run one. Raises `Throttled` where the endpoint has no place for it now."""
        one, started = inferences.load(event.payload), self._database.clock.now()
        self._running[one.endpoint] += 1
        try:
            outcome, told = await self._outcome(one, event.id)
        finally:
            self._running[one.endpoint] -= 1
        return Result(outcome, json.dumps(told).encode(), event.id, started, self._database.clock.now())

    async def _outcome(self, one: Inference, request_id: str) -> tuple[str, Members]:
        try:
            return "ok", await self._run(one, request_id)
        except ServiceUnavailable:
            raise Throttled from None
        except ModelError as error:
            status = error.members["OriginalStatusCode"]
            kind = "client" if 400 <= status < 500 else "server"
            reason = (
                f"ClientError: Received {kind} error ({status}) from model. See the SageMaker Endpoint logs in your "
                "account for more information."
            )
            return "error", await self._failed(one, "ModelError", reason, error.members["OriginalMessage"])
        except (Fault, ValueError) as error:
            text = error.message if isinstance(error, Fault) else str(error)
            return "error", await self._failed(one, type(error).__name__, f"ClientError: {text}", text)

    async def _run(self, one: Inference, request_id: str) -> Members:
        body = base64.b64decode(one.body)
        if one.input:
            body, _ = await self._acting.get(one.role, one.input, MOST)
        answer = await self._endpoints.invoke(
            one.endpoint,
            body,
            content_type=one.content_type,
            accept=one.accept,
            custom_attributes=one.custom_attributes,
            request_id=request_id,
            seconds=one.timeout,
            most=MOST,
        )
        await self._acting.put(one.role, one.output, answer.body, answer.content_type)
        return {"contentType": answer.content_type, "outputLocation": one.output}

    async def _failed(self, one: Inference, kind: str, reason: str, text: str) -> Members:
        told: Members = {"errorType": kind, "errorMessage": reason}
        if not one.failure:
            return told
        try:
            await self._acting.put(one.role, one.failure, text.encode(), "text/plain")
        except Fault as fault:
            self._say(one.endpoint, "async", f"The failure was not written to {one.failure}: {fault.message}")
            return told
        return told | {"contentType": "text/plain", "outputLocation": one.failure}

    def _tell(self, ended: Ended) -> Deed:
        """What is told in the transaction that records the end."""
        one = inferences.load(ended.event.payload)
        topic = one.success_topic if ended.succeeded else one.error_topic
        outcome = json.loads(ended.payload or b"{}")
        if not ended.succeeded:
            outcome["failureReason"] = outcome.get("errorMessage") or _REASONS.get(ended.condition, ended.condition)
        return self._letter(
            one.role, topic, inferences.notification(one, ended.moment, outcome), (one.endpoint, "async")
        )

    def _letter(self, role: str, topic: str, message: str, place: tuple[str, str]) -> Deed:
        def nothing(tx: Tx) -> None:
            """Nobody is told."""

        def letter(tx: Tx) -> None:
            try:
                self._publish(tx, topic, message)
            except Fault as fault:
                text = f"{topic} was not told: {fault.message}"
                tx.after_commit(lambda: self._say(*place, text))

        if not topic:
            return nothing
        try:
            self._acting.check(role, "sns:Publish", topic)
        except AccessDenied as denied:
            self._say(*place, f"{topic} was not told: {denied.message}")
            return nothing
        return letter


_REASONS = {
    "EventAgeExceeded": "ClientError: The request was in the queue for longer than its RequestTTLSeconds.",
    "EndpointNotFound": "ClientError: The endpoint was deleted before the request was processed.",
}


def _inference(endpoint: str, role: str, config: Members, given: Members, now: float) -> Inference:
    """Raises `ValidationError` for what cannot be run."""
    location, body = given.get("InputLocation") or "", given.get("Body") or b""
    if bool(location) == bool(body):
        raise ValidationError("Either an InputLocation or a Body must be given.")
    if location and (not location.startswith("s3://") or not all(split(location))):
        raise ValidationError(f"Invalid InputLocation: {location}. It must be s3://BUCKET/KEY.")
    if len(body) > MOST_INLINE:
        raise ValidationError(f"The body has {len(body)} bytes; {MOST_INLINE} are allowed.")
    if not LEAST_TTL <= (given.get("RequestTTLSeconds") or TTL) <= TTL:
        raise ValidationError(f"RequestTTLSeconds must be from {LEAST_TTL} to {TTL}.")
    if not 1 <= (given.get("InvocationTimeoutSeconds") or TIMEOUT) <= LONGEST:
        raise ValidationError(f"InvocationTimeoutSeconds must be from 1 to {LONGEST}.")
    output, own = config["OutputConfig"], new_request_id()
    parts = (output["S3OutputPath"], given.get("S3OutputPathExtension") or "", given.get("Filename") or f"{own}.out")
    failure = output.get("S3FailurePath") or ""
    success_topic, error_topic = inferences.topics(config)
    return Inference(
        endpoint=endpoint,
        role=role,
        inference_id=given.get("InferenceId") or new_request_id(),
        input=location,
        body=base64.b64encode(body).decode(),
        content_type=given.get("ContentType") or "",
        accept=given.get("Accept") or "",
        custom_attributes=given.get("CustomAttributes") or "",
        output="/".join(part.strip("/") for part in parts if part),
        failure=f"{failure.rstrip('/')}/{own}-error.out" if failure else "",
        success_topic=success_topic,
        error_topic=error_topic,
        timeout=float(given.get("InvocationTimeoutSeconds") or TIMEOUT),
        received=now,
    )

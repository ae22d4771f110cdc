"""One request to the replicas of a variant: what it took is observed, what went wrong becomes the runtime's fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from alight.clock import Clock
from alight.endpoints.client import BadAnswer
from alight.endpoints.contract import Reply
from alight.endpoints.fleet import Busy, Died, Fleet, OutOfTime
from alight.endpoints.parts import Parts
from alight.endpoints.spec import Excuse, Invoked
from alight.endpoints.standing import NOT_THERE, Standing
from alight.errors.sagemaker import ModelError, ModelStreamError, ServiceUnavailable
from alight.names import ACCOUNT, REGION, log_group_arn


class Asking:
    """`observe` is told of every request, however it ended."""

    def __init__(self, clock: Clock, observe: Callable[[Invoked], None] | None) -> None:
        self._clock = clock
        self._observe = observe

    async def ask(
        self,
        name: str,
        variant: str,
        fleet: Fleet,
        headers: dict[str, str],
        body: bytes,
        seconds: float = 0.0,
        parts: Parts | None = None,
        excuse: Excuse | None = None,
    ) -> Reply:
        """`parts` get the answer as it arrives. Raises ModelError or ServiceUnavailable."""
        began, status, standing, tries = self._clock.monotonic(), 0, fleet.standing, False
        try:
            tries = excuse is not None and self._let_in(name, standing, excuse)
            reply = await fleet.ask(headers, body, seconds, parts, _excused if tries else excuse)
            status = reply.status
            self._heard(status, standing, tries, excuse)
            return reply
        except Busy as reason:
            raise ServiceUnavailable(f"Endpoint {name} takes no more requests: {reason}.") from None
        except (Died, BadAnswer, OutOfTime) as error:
            if not isinstance(error, OutOfTime) or error.began or not fleet.answering:
                standing.failed(tries, self._clock.monotonic())
            fault = _fault(name, error)
            status = fault.members.get("OriginalStatusCode", 0)
            raise fault from None
        finally:
            standing.tries = standing.tries and not tries
            if self._observe is not None:
                took = self._clock.monotonic() - began
                request_id = headers["X-Amzn-SageMaker-Request-Id"]
                self._observe(Invoked(name, variant, request_id, took, status, fleet.answering))

    async def open(
        self,
        name: str,
        variant: str,
        fleet: Fleet,
        headers: dict[str, str],
        body: bytes,
        excuse: Excuse | None = None,
    ) -> tuple[Reply, AsyncGenerator[bytes]]:
        """The answer's head, and its bytes as they arrive. Raises as `ask` does; the bytes raise ModelStreamError."""
        parts = Parts()
        asking = asyncio.create_task(self.ask(name, variant, fleet, headers, body, parts=parts, excuse=excuse))
        try:
            await asyncio.wait({asking, parts.head}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            asking.cancel()
            raise
        if not parts.begun:
            asking.result()  # nothing was answered, so it raises
        head = parts.head.result()
        if not 200 <= head.status < 300:
            text = b"".join([part async for part in parts.read(asking)])
            raise model_error(name, head.status, text)
        return head, _streamed(parts, asking)

    def _let_in(self, name: str, standing: Standing, excuse: Excuse) -> bool:
        """An event asks. Whether it is the one that tries. Raises ServiceUnavailable."""
        if why := standing.refuses(self._clock.monotonic()):
            excuse(True)
            raise ServiceUnavailable(f"Endpoint {name} takes no more requests: {why}.")
        if tries := standing.let_in():
            # Until there is an answer: that it is dead is no failure of the event that finds it so.
            excuse(True)
        return tries

    def _heard(self, status: int, standing: Standing, tries: bool, excuse: Excuse | None) -> None:
        if status in NOT_THERE:
            standing.failed(tries, self._clock.monotonic())
            return
        standing.answered()
        if tries and excuse is not None:
            excuse(False)


def _excused(excused: bool) -> None:
    """Nothing is told of who tries while there is no answer."""


def _fault(name: str, error: Died | BadAnswer | OutOfTime) -> ModelError | ServiceUnavailable:
    """In the runtime's words."""
    match error:
        case OutOfTime(began=False):
            return ServiceUnavailable(f"Endpoint {name} had no replica free in time.")
        case OutOfTime():
            text = "Your invocation timed out while waiting for a response from container primary."
            return model_error(name, 0, text.encode())
        case Died():
            return model_error(name, 500, b"The model's process ended while it served this request.")
        case BadAnswer():
            return model_error(name, 500, f"The model's answer cannot be read: {error}.".encode())


async def _streamed(parts: Parts, asking: asyncio.Task[Reply]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(parts.read(asking)) as arriving:
            async for part in arriving:
                yield part
        ended = asking.result()
        if not 200 <= ended.status < 300:
            raise ModelStreamError(ended.body.decode("utf-8", "replace"), ErrorCode="StreamBroken")
    except ModelError as error:
        late = error.members["OriginalStatusCode"] == 0
        code = "ModelInvocationTimeExceeded" if late else "StreamBroken"
        raise ModelStreamError(error.members["OriginalMessage"], ErrorCode=code) from None
    finally:
        asking.cancel()


def model_error(name: str, status: int, body: bytes) -> ModelError:
    """The message in AWS's words; the model's own text is kept up to 4 KB."""
    text = body[:4096].decode("utf-8", "replace")
    kind = "client" if 400 <= status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{name}"
    return ModelError(
        f'Received {kind} error ({status}) from primary with message "{text}". '
        f"See log group {group} in account {ACCOUNT} of {REGION} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=log_group_arn(group),
    )

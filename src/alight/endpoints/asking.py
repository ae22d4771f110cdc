"""One request to the replicas of a variant: what it took is observed, what went wrong becomes the runtime's fault."""

from __future__ import annotations

from collections.abc import Callable

from alight.clock import Clock
from alight.endpoints.client import BadAnswer
from alight.endpoints.contract import Reply
from alight.endpoints.fleet import Busy, Died, Fleet, OutOfTime
from alight.endpoints.spec import Invoked
from alight.errors.sagemaker import ModelError, ServiceUnavailable
from alight.names import ACCOUNT, REGION, log_group_arn


class Asking:
    """`observe` is told of every request, however it ended."""

    def __init__(self, clock: Clock, observe: Callable[[Invoked], None] | None) -> None:
        self._clock = clock
        self._observe = observe

    async def ask(
        self, name: str, variant: str, fleet: Fleet, headers: dict[str, str], body: bytes, seconds: float = 0.0
    ) -> Reply:
        started, began, status = self._clock.now(), self._clock.monotonic(), 0
        try:
            reply = await self._ask(name, fleet, headers, body, seconds)
            status = reply.status
            return reply
        except ModelError as error:
            status = error.members["OriginalStatusCode"]
            raise
        finally:
            if self._observe is not None:
                took = self._clock.monotonic() - began
                request_id = headers["X-Amzn-SageMaker-Request-Id"]
                replicas = len(fleet.pids)
                self._observe(Invoked(name, variant, request_id, started, took, status, len(body), replicas))

    async def _ask(self, name: str, fleet: Fleet, headers: dict[str, str], body: bytes, seconds: float) -> Reply:
        try:
            return await fleet.ask(headers, body, seconds)
        except Busy as reason:
            raise ServiceUnavailable(f"Endpoint {name} takes no more requests: {reason}.") from None
        except OutOfTime as late:
            if not late.began:
                raise ServiceUnavailable(f"Endpoint {name} had no replica free in time.") from None
            text = "Your invocation timed out while waiting for a response from container primary."
            raise model_error(name, 0, text.encode()) from None
        except Died:
            raise model_error(name, 500, b"The model's process ended while it served this request.") from None
        except BadAnswer as reason:
            raise model_error(name, 500, f"The model's answer cannot be read: {reason}.".encode()) from None


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

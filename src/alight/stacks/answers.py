"""What custom resources are asked, and what their functions answer: a question is a record, so that a restart waits on.

A question (kind `stack:question`) has the name of the resource and the kind of request for a name, and in its body
`RequestId`, `Token`, `Asked` (seconds) and `Answer` (None until it came). Its function answers by a PUT to an address
that holds the token (kind `stack:token` leads from there to the question); whoever knows the token may answer, once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from alight.calls import Members
from alight.clock import Clock
from alight.errors import AlightError
from alight.names import new_request_id
from alight.parsed import parsed
from alight.store.records import Record, Records

QUESTION, TOKEN = "stack:question", "stack:token"
PREFIX = "/_aws/cloudformation/"
#: Bytes of an answer, as on AWS.
LONGEST = 4096
#: Runs the function with the event; the answer is why it failed, "" where it did not.
Invoke = Callable[[Members], Awaitable[str]]


class Answers:
    """`address()` is where the functions of this instance reach it."""

    def __init__(self, records: Records, clock: Clock, address: Callable[[], str]) -> None:
        self._records = records
        self._clock = clock
        self._address = address
        self._waiting: dict[str, asyncio.Event] = {}
        #: Functions that have not returned yet; some answer first.
        self._running: set[asyncio.Task[str]] = set()

    async def ask(self, resource: str, kind: str, event: Members, invoke: Invoke, timeout: float) -> Members:
        """The answer to one request about `resource`, within `timeout` seconds of the first time it was asked.

        A request that was cut off is asked again under its old RequestId; one that was answered is not asked again.
        Raises `AlightError` where the answer is a failure, or none comes.
        """
        name = f"{resource}/{kind}"
        question = await self._question(resource, name)
        waiting = self._waiting.setdefault(name, asyncio.Event())
        try:
            if question["Answer"] is None:
                url = f"{self._address()}{PREFIX}{question['Token']}"
                asked = {**event, "RequestId": question["RequestId"], "ResponseURL": url}
                await self._await(name, asked, invoke, waiting, question["Asked"] + timeout)
        finally:
            self._waiting.pop(name, None)
        return _judged(self._body(name), question["RequestId"])

    def last(self, resource: str, kind: str) -> Members | None:
        """The question of that kind that was asked last, as its record has it."""
        record = self._records.get(QUESTION, f"{resource}/{kind}")
        return record.body if record else None

    async def forget(self, resource: str) -> None:
        """Drop all questions about a resource."""
        found = self._records.list(QUESTION, f"{resource}/")
        if found:
            tokens = [(TOKEN, one.body["Token"], None) for one in found]
            await self._records.save_all([*tokens, *((QUESTION, one.name, None) for one in found)])

    async def take(self, token: str, content: bytes) -> bool:
        """An answer has come. False where nobody asked."""
        record = self._records.get(TOKEN, token)
        question = self._records.get(QUESTION, record.body["Question"]) if record else None
        if question is None or question.body["Token"] != token:
            return False
        if question.body["Answer"] is None:
            await self._records.save(QUESTION, question.name, {**question.body, "Answer": _read(content)})
        if (waiting := self._waiting.get(question.name)) is not None:
            waiting.set()
        return True

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _question(self, resource: str, name: str) -> Members:
        """The open question, or one that was answered well; else a new one, in the place of all others."""
        body: Members | None = self._body(name)
        if body is not None and (body["Answer"] is None or body["Answer"].get("Status") == "SUCCESS"):
            return body
        await self.forget(resource)
        token = secrets.token_hex(32)
        fresh = {"RequestId": new_request_id(), "Token": token, "Asked": self._clock.now(), "Answer": None}
        await self._records.save_all([(QUESTION, name, fresh), (TOKEN, token, {"Question": name})])
        return fresh

    def _body(self, name: str) -> Any:
        record: Record | None = self._records.get(QUESTION, name)
        return record.body if record else None

    async def _await(self, name: str, event: Members, invoke: Invoke, waiting: asyncio.Event, end: float) -> None:
        """Until the answer is there. The function may return before it, and another may give it."""
        running = asyncio.ensure_future(_run(invoke, event))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        came = asyncio.ensure_future(waiting.wait())
        try:
            watched: set[asyncio.Future[Any]] = {running, came}
            while not came.done():
                left = end - self._clock.now()
                if left <= 0:
                    raise AlightError(
                        "CloudFormation did not receive a response from your Custom Resource. Please check your logs "
                        f"for requestId [{event['RequestId']}]."
                    )
                await asyncio.wait(watched, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if running in watched and running.done():
                    watched.discard(running)
                    if running.result() and self._body(name)["Answer"] is None:
                        raise AlightError(f"The function failed before it answered: {running.result()}")
        finally:
            came.cancel()


async def _run(invoke: Invoke, event: Members) -> str:
    return await invoke(event)


def _read(content: bytes) -> Members:
    if len(content) > LONGEST:
        return {"Status": "FAILED", "Reason": "Response object is too long."}
    try:
        answer = parsed(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return {"Status": "FAILED", "Reason": "Invalid Response object: it is not a JSON object."}
    return answer


def _judged(question: Members, request_id: str) -> Members:
    answer: Members = question["Answer"] or {}
    if answer.get("Status") != "SUCCESS":
        raise AlightError(
            f"Received response status [{answer.get('Status', 'FAILED')}] from custom resource. Message returned: "
            f"{answer.get('Reason', '')} (RequestId: {request_id})"
        )
    if not isinstance(answer.get("Data") or {}, dict):
        raise AlightError("Invalid Response object: Data is not a mapping.")
    return answer

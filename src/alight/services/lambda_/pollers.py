"""The readers behind event source mappings: one for each that is to read, as the records say.

Here a batch of messages becomes an invocation, and the function's answer becomes what is deleted from the queue. Each
batch is a step of its own request's story and of each message's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alight import names
from alight.calls import Members
from alight.clock import Clock
from alight.errors.store import StoreUnavailable
from alight.events.polling import TROUBLE, Handled, Poller
from alight.functions.invocation import Invocation, Outcome
from alight.services.lambda_ import definitions
from alight.services.lambda_.batches import event_of, failures, record_of
from alight.services.lambda_.chains import Chains, written
from alight.services.lambda_.destination_rules import RoleMay
from alight.services.lambda_.event_filters import read_patterns, wants
from alight.services.lambda_.mapping_rules import ACTIONS, KIND, REPORTS, batching
from alight.services.lambda_.mappings import MOST
from alight.services.lambda_.runner import Runner
from alight.services.sqs.consuming import Consumer
from alight.store.database import Database, Tx
from alight.store.queues import QueuedMessage
from alight.store.records import Records
from alight.store.telemetry import Telemetry

log = logging.getLogger(__name__)

#: State that a request has left -> what it becomes once that is carried out, where the mapping is to read.
_PASSING = ("Creating", "Updating", "Enabling", "Disabling")


@dataclass(frozen=True, slots=True)
class Means:
    """What reading and running takes."""

    queues: Consumer
    runner: Runner
    role_may: RoleMay
    telemetry: Telemetry
    clock: Clock
    chains: Chains
    #: Told of a function whose call was one too many of a loop.
    looped: Callable[[str], None]


class Pollers:
    """`run()` until cancelled, then `close`. `wake()` after a mapping has changed, `freed()` when a worker is free."""

    def __init__(self, database: Database, records: Records, means: Means) -> None:
        self._database = database
        self._records = records
        self._means = means
        self._changed = asyncio.Event()
        self._pollers: dict[str, Poller] = {}
        #: Mappings whose reader is ending.
        self._ending: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        self._changed.set()

    def freed(self) -> None:
        for poller in self._pollers.values():
            poller.wake()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            try:
                for record in self._records.list(KIND, limit=MOST):
                    await self._follow(record.name, record.body)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("event source mappings wait: they cannot be followed now")
                await self._means.clock.sleep(TROUBLE)
            else:
                await self._changed.wait()

    async def close(self, grace: float) -> None:
        """Take nothing more; what has not ended after `grace` seconds is given back to its queue."""
        await asyncio.gather(*(poller.close(grace) for poller in self._pollers.values()))
        await asyncio.gather(*self._ending.values(), return_exceptions=True)

    async def _follow(self, name: str, body: Members) -> None:
        """Do what the record says, and write what has become of it."""
        if not body["Wanted"]:
            if name in self._pollers:
                self._end(name)
            elif body["State"] != "Disabled":
                await self._settle(name, body)
            return
        if name in self._ending:
            return
        if name in self._pollers:
            self._pollers[name].batching = batching(body)
            self._pollers[name].wake()
        else:
            self._pollers[name] = self._start(name, body)
        if body["State"] in _PASSING:
            await self._settle(name, body)

    def _start(self, name: str, body: Members) -> Poller:
        return Poller(
            batching(body),
            self._means.queues,
            self._means.clock,
            free=lambda: self._free(name),
            hand_over=lambda messages: self._hand_over(name, messages),
        )

    def _end(self, name: str) -> None:
        if name in self._ending:
            return
        task = asyncio.create_task(self._pollers[name].stop(), name=f"end of mapping {name}")
        self._ending[name] = task
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        del self._ending[name], self._pollers[name]
        self.wake()

    async def _settle(self, name: str, seen: Members) -> None:
        """From a passing state to one that lasts; a request that came meanwhile is followed by itself."""

        def job(tx: Tx) -> None:
            record = self._records.get(KIND, name, tx)
            if record is None or record.body["State"] != seen["State"] or record.body["Wanted"] != seen["Wanted"]:
                return
            if seen["State"] == "Deleting":
                self._records.delete(tx, KIND, name)
            else:
                state = "Enabled" if seen["Wanted"] else "Disabled"
                self._records.put(tx, KIND, name, record.body | {"State": state})

        await self._database.insist(job)

    # Batches ---------------------------------------------------------------------------------------------------------

    def _mapping(self, name: str) -> Members:
        record = self._records.get(KIND, name)
        assert record is not None, "a mapping goes after its reader"
        return record.body

    def _free(self, name: str) -> int:
        """How many batches can begin now: none, where the function or a permission of its role is missing."""
        mapping = self._mapping(name)
        body = self._means.runner.find(mapping["FunctionArn"])
        if body is None:
            return 0
        role = definitions.role_name(body["Configuration"]["Role"])
        if not all(self._means.role_may(role, action, mapping["EventSourceArn"]) for action in ACTIONS):
            return 0
        return self._means.runner.free(mapping["FunctionArn"])

    async def _hand_over(self, name: str, messages: list[QueuedMessage]) -> Handled:
        mapping = self._mapping(name)
        patterns = read_patterns(mapping.get("FilterCriteria"))
        records = {message.id: record_of(message) for message in messages}
        wanted = [message for message in messages if wants(patterns, records[message.id])]
        kept = {message.id for message in wanted}
        unwanted = [message for message in messages if message.id not in kept]
        if not wanted:
            return Handled(done=unwanted)
        payload, count = event_of([records[message.id] for message in wanted])
        batch, back = wanted[:count], wanted[count:]
        arn = mapping["FunctionArn"]
        chain, ended = self._means.chains.with_call(self._database.read(), arn, _causes(batch))
        if ended:
            # Nothing of it is lost: it shows up again, and goes to the queue's dead letters as any that fails.
            log.warning("%s is in a loop with %s: it was not called", arn, mapping["EventSourceArn"])
            self._means.looped(arn)
            return Handled(done=unwanted, back=back)
        invocation = Invocation(names.new_request_id(), payload, chain=written(chain))
        started = self._means.clock.now()
        outcome = await self._means.runner.batch(arn, invocation)
        failed = _failed(mapping, batch, outcome)
        self._record(mapping, invocation.request_id, batch, failed, started)
        return Handled(done=[*unwanted, *(message for message in batch if message.id not in failed)], back=back)

    def _record(
        self, mapping: Members, request_id: str, batch: list[QueuedMessage], failed: frozenset[str], started: float
    ) -> None:
        """The batch is a step, linked to its messages, and they to it."""
        telemetry, ended = self._means.telemetry, self._means.clock.now()
        queue = names.parse_arn(mapping["EventSourceArn"]).resource
        function = names.parse_arn(mapping["FunctionArn"]).resource.partition(":")[2]
        ids = " ".join(message.id for message in batch)
        outcome = f"{len(batch) - len(failed)} of {len(batch)} handled"
        telemetry.span(request_id, "sqs batch", started, ended, queue=queue, outcome=outcome, messages=ids)
        for message in batch:
            became = "not handled" if message.id in failed else "handled"
            telemetry.span(
                message.id,
                f"lambda {function}",
                started,
                ended,
                outcome=became,
                request=request_id,
                receives=message.receives,
            )


def _causes(batch: list[QueuedMessage]) -> Iterator[str]:
    return (message.chain for message in batch if message.chain)


def _failed(mapping: Members, batch: list[QueuedMessage], outcome: Outcome) -> frozenset[str]:
    """The ids of the messages that were not handled."""
    ids = frozenset(message.id for message in batch)
    if outcome.function_error:
        return ids
    return failures(outcome.payload, ids) if REPORTS in mapping["FunctionResponseTypes"] else frozenset()

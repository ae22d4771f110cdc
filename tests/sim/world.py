"""What a seed decides: how attempts end, how targets answer, when the process dies, when the clock is set."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from alight import names
from alight.notifications.message import SUBSCRIPTION, TOPIC, Protocol, Subscription, SubscriptionState, Topic
from alight.store.connections import open_writer
from alight.store.database import Tx
from alight.store.records import Records
from tests.sim.ledger import Ledger
from tests.sim.loop import VirtualClock, VirtualLoop

LISTENER, LOOP, CLASSIFY = map(names.function_arn, ("listener", "loop", "classify"))
QUEUE = names.queue_arn("letters")

#: Kinds of ends of an attempt, and how often each comes, by the temper of a function.
TEMPERS: tuple[Mapping[str, float], ...] = (
    {"ok": 1},
    {"ok": 6, "late": 1, "error": 2, "timeout": 1, "early error": 1, "throttled": 1, "impossible": 1, "turned away": 1},
    {"ok": 1, "error": 2, "early error": 1},
    {"throttled": 4, "ok": 1},
    {"turned away": 3, "ok": 1},
    {"error": 1},
    {"late": 1, "error": 1},
)
#: The same for targets.
ANSWERS: tuple[Mapping[str, float], ...] = (
    {"ok": 1},
    {"ok": 6, "server error": 2, "slow": 1, "cut": 1, "refused": 1, "throttled": 1},
    {"refused": 1},
    {"black hole": 1},
    {"server error": 4, "ok": 1},
    {"ok": 4, "client error": 1},
    {"cut": 1, "ok": 1},
)


@dataclass(frozen=True, slots=True)
class Function:
    """`takes` is the longest that the work of an attempt lasts (seconds)."""

    arn: str
    workers: int
    retries: int
    age: float
    delays: tuple[float, ...]
    takes: float
    outcomes: Mapping[str, float]
    publishes: int
    staged: bool
    disabled: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A subscriber. What it answers changes at `turns` (monotonic seconds)."""

    protocol: Protocol
    endpoint: str
    settings: Mapping[str, str]
    before: Mapping[str, float]
    after: Mapping[str, float]
    turns: float


@dataclass
class Plan:
    """All that is drawn before a simulation begins."""

    functions: dict[str, Function]
    targets: list[Target]
    #: (monotonic second, name of the event, ARN of its function)
    events: list[tuple[float, str, str]]
    #: The step of each life at which it dies; negative where it is asked to stop after so many seconds.
    ends: list[int]
    #: (monotonic second, by how much the wall clock is set)
    jumps: list[tuple[float, float]]
    full_disk: float
    held: bool
    #: A function that is deleted, and when.
    deleted: tuple[str, float] | None
    topic: str = names.topic_arn("told")


def draw_function(random: random.Random, arn: str) -> Function:
    body: dict[str, Any] = {"EventInvoke": {"DestinationConfig": {}}, "Configuration": {"FunctionName": arn[-8:]}}
    wanted = body["EventInvoke"]["DestinationConfig"]
    body["Configuration"]["Role"] = names.role_arn("any")
    if arn == LOOP:
        wanted["OnSuccess"] = {"Destination": LOOP}
    else:
        wanted |= {side: {"Destination": QUEUE} for side in ("OnSuccess", "OnFailure") if random.random() < 0.5}
    if random.random() < 0.5:
        body["Configuration"]["DeadLetterConfig"] = {"TargetArn": QUEUE}
    return Function(
        arn=arn,
        workers=random.choice((1, 2, 8)),
        retries=random.choice((0, 1, 2, 2)),
        age=random.choice((21_600.0, 21_600.0, 100.0)),
        delays=random.choice(((60.0, 120.0), (60.0, 120.0), (0.0,), (1.0, 5.0), ())),
        takes=random.choice((0.01, 1.0, 20.0)),
        outcomes=TEMPERS[0] if arn == LOOP else random.choice(TEMPERS),
        publishes=0 if arn in (LISTENER, LOOP) else random.choice((0, 1, 1, 2)),
        staged=random.random() < 0.6,
        disabled="ReservedConcurrency" if random.random() < 0.05 else "",
        body=body,
    )


def draw_targets(random: random.Random) -> list[Target]:
    drawn = [
        (Protocol.HTTP, "http://one"),
        (Protocol.HTTP, "http://one/more"),
        (Protocol.HTTP, "http://two"),
        (Protocol.EMAIL, "someone@example.org"),
        (Protocol.SMS, "+49151"),
        (Protocol.LAMBDA, LISTENER),
        (Protocol.SQS, names.queue_arn("told")),
    ]
    found = []
    for protocol, endpoint in random.sample(drawn, random.randint(1, 4)):
        letters = random.random() < 0.5
        settings = {"RawMessageDelivery": "true"} | (
            {"RedrivePolicy": f'{{"deadLetterTargetArn":"{QUEUE}"}}'} if letters else {}
        )
        found.append(
            Target(
                protocol,
                endpoint,
                settings,
                random.choice(ANSWERS),
                random.choice((*ANSWERS, *ANSWERS[:1] * 6)),
                random.uniform(0, 300),
            )
        )
    return found


def draw_plan(random: random.Random) -> Plan:
    arns = [CLASSIFY, LISTENER] + ([LOOP] if random.random() < 0.2 else []) + ["arn:aws:lambda:us-east-1:0:function:b"]
    functions = {arn: draw_function(random, arn) for arn in arns}
    asked = [arn for arn in arns if arn != LISTENER] * 3 + [names.function_arn("gone")]
    spread = random.choice((0.1, 10.0, 300.0))
    events = [(random.uniform(0, spread), f"e{n}", random.choice(asked)) for n in range(random.randint(1, 8))]
    ends = [
        random.choice((1, 1, 1, -1)) * random.randint(1, random.choice((60, 300, 900)))
        for _ in range(random.randint(0, 4))
    ]
    jumps = []
    if random.random() < 0.15:
        jumps = [(random.uniform(0, 300), random.choice((-7200.0, -60.0, -2.0, 5.0, 7200.0, 1e8))) for _ in range(2)]
    return Plan(
        functions, draw_targets(random), sorted(events), ends, sorted(jumps),
        full_disk=random.choice((0.0, 0.0, 0.0, 0.05)), held=random.random() < 0.2,
        deleted=(random.choice(arns), random.uniform(0, 200)) if random.random() < 0.15 else None,
    )  # fmt: skip


@dataclass
class World:
    """What outlives each crash: the folder, the clock, the seed's dice, the ledger."""

    seed: int
    folder: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    ledger: Ledger = field(default_factory=Ledger)
    connection: apsw.Connection | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.plan = draw_plan(self.random)
        #: Where the wall clock is set, moments that people read say nothing of the monotonic clock; where a full disk
        #: is in the way of what waits, neither do its rows.
        self.jumpy = bool(self.plan.jumps)
        self.ledger.jumpy = self.jumpy and self.plan.full_disk > 0

    @property
    def loop(self) -> VirtualLoop:
        assert self.clock.loop is not None
        return self.clock.loop

    def connect(self, path: Path) -> apsw.Connection:
        """A process that dies takes nothing from the kernel's hands, so nothing need be flushed here."""
        self.connection = open_writer(path, synchronous="OFF")
        return self.connection

    def function(self, arn: str) -> Function | None:
        """As it is now; None where there is none, or no longer."""
        gone = self.plan.deleted
        if gone and gone[0] == arn and self.clock.monotonic() >= gone[1]:
            return None
        return self.plan.functions.get(arn)

    def release(self) -> None:
        """A process has died while it opened its folder."""
        if self.connection is not None:
            self.connection.close()
        (self.folder / "lock").unlink(missing_ok=True)

    def set_clock(self, by: float) -> None:
        self.note("clock", by)
        self.clock.wrong_by += by

    def note(self, *what: object) -> None:
        self.ledger.note(self.clock.monotonic(), *what)

    def disturb(self, what: str) -> None:
        self.ledger.disturb(what, self.clock.monotonic())

    def draw(self, weights: Mapping[str, float]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    async def pause(self, longest: float) -> None:
        await asyncio.sleep(self.random.uniform(0, longest))

    def answer(self, endpoint: str) -> str:
        [target] = [target for target in self.plan.targets if target.endpoint == endpoint]
        return self.draw(target.before if self.clock.monotonic() < target.turns else target.after)

    def subscribe(self, tx: Tx, records: Records) -> None:
        """The topic and who listens, as Subscribe leaves them."""
        topic = Topic(self.plan.topic)
        records.put(tx, TOPIC, topic.arn, topic.body())
        for number, target in enumerate(self.plan.targets):
            arn = names.subscription_arn(topic.arn, str(number))
            subscription = Subscription(
                arn, topic.arn, target.protocol, target.endpoint, "", "", SubscriptionState.CONFIRMED,
                settings=target.settings,
            )  # fmt: skip
            records.put(tx, SUBSCRIPTION, arn, subscription.body())

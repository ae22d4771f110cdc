"""One simulation: lives of a process until the seed's crashes are used up and all is quiet, then the audit."""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from alight.clock import ManualClock
from alight.errors.store import InsufficientStorage
from alight.notifications.message import SUBSCRIPTION
from alight.store import journal
from alight.store.database import Database
from tests.sim.audit import Audit, quiet, rule
from tests.sim.house import House, Zombie, open_house
from tests.sim.ledger import Broken, Ledger
from tests.sim.loop import VirtualLoop, live
from tests.sim.world import World

#: By then the longest retries (six hours of mails) are over, with crashes and full disks in between (seconds).
LONGEST = 10 * 86_400.0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one seed."""

    seed: int
    ledger: Ledger
    seconds: float
    states: dict[str, int]
    repeats: int


class Complaints(logging.Handler):
    """What the house logs: errors that the seed has not made are ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, InsufficientStorage) or "cannot be started" in str(error):
            return
        self.found.append(f"{record.getMessage()}: {error!r}")


def make_template(folder: Path) -> Path:
    """An empty database with its schema, so that no simulation has to make it."""

    async def make() -> None:
        await (await Database.open(folder, ManualClock(), ballast=0)).close()

    asyncio.run(make())
    return folder / "alight.db"


def simulate(seed: int, template: Path, folder: Path) -> Run:
    """Run one seed in an empty folder. Raises `Broken`, with the seed and the end of its story."""
    folder.mkdir()
    shutil.copy(template, folder / template.name)
    world, complaints = World(seed, folder), Complaints()
    logger = logging.getLogger("alight")
    logger.addHandler(complaints)
    logger.propagate = False
    try:
        return _lives(world, complaints)
    except Exception as error:
        error.add_note(f"seed {seed}; the end of its story:\n{world.ledger.tail()}")
        raise
    finally:
        logger.propagate = True
        logger.removeHandler(complaints)
        shutil.rmtree(folder)


def _lives(world: World, complaints: Complaints) -> Run:
    zombies: list[Zombie] = []
    pending = list(world.plan.events)
    ends, moment = [*world.plan.ends, 0], 0.0
    for end in ends:
        loop = world.clock.loop = VirtualLoop(moment)
        loop.dies_at = end if end > 0 else None
        life = Life(world, pending, zombies)
        run = live(loop, life.run(stops_after=-end if end < 0 else None))
        moment = loop.time()
        world.ledger.steps += loop.steps
        rule(not loop.complaints, f"nobody caught {loop.complaints}")
        rule(not complaints.found, f"logged as errors: {complaints.found}")
        if run is not None:
            return run
        zombies = life.leave(killed=end > 0)
        moment += world.random.uniform(0, 5.0)
    raise Broken("the last life did not come to its end")


class Life:
    """From a start to a crash, a stop or the end."""

    def __init__(self, world: World, pending: list[tuple[float, str, str]], zombies: list[Zombie]) -> None:
        self.world, self.pending, self.zombies = world, pending, zombies
        self.house: House | None = None

    async def run(self, stops_after: int | None) -> Run | None:
        world = self.world
        house = self.house = await open_house(world)
        if not house.records.list(SUBSCRIPTION, limit=1):
            await house.database.insist(lambda tx: world.subscribe(tx, house.records))
        await house.start(self.zombies)
        client, jumper = asyncio.create_task(self._ask()), asyncio.create_task(self._jump())
        if stops_after is not None:
            await asyncio.sleep(stops_after)
            client.cancel()
            jumper.cancel()
            world.ledger.stops += 1
            await house.stop()
            return None
        await client
        await self._until_quiet(house)
        jumper.cancel()
        Audit(world, house).all()
        return await self._end(house)

    async def _ask(self) -> None:
        """Each event until it is answered; after a crash in between under another name, as a client cannot know."""
        while self.pending:
            moment, name, arn = self.pending[0]
            await asyncio.sleep(max(0.0, moment - self.world.clock.monotonic()))
            assert self.house is not None
            self.pending[0] = (moment, f"{name}'", arn)
            if await self.house.accept(name, arn):
                self.pending.pop(0)
            else:
                await asyncio.sleep(1.0)

    async def _jump(self) -> None:
        while self.world.plan.jumps:
            moment, by = self.world.plan.jumps[0]
            await asyncio.sleep(max(0.0, moment - self.world.clock.monotonic()))
            self.world.plan.jumps.pop(0)
            self.world.set_clock(by)

    async def _until_quiet(self, house: House) -> None:
        wait, begun = 1.0, self.world.clock.monotonic()
        while not quiet(house):
            self._check_alive(house)
            rule(self.world.clock.monotonic() < begun + LONGEST, "no quiet came")
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, 600.0)

    def _check_alive(self, house: House) -> None:
        for task in (house.running, *house.aside):
            if task is not None and task.done():
                task.result()
        rule(house.running and not house.running.done(), "the dispatcher has ended")

    async def _end(self, house: House) -> Run:
        world = self.world
        books = journal.books(house.database.read())
        counts = house.store.counts()
        states = {name: getattr(books, name) for name in ("accepted", "succeeded", "dead")}
        states |= {f"deliveries {name}": count for name, count in counts.items()}
        repeats = sum(count - 1 for count in world.ledger.arrivals.values() if count > 1)
        world.loop.dies_at = None
        await house.stop()
        return Run(world.seed, world.ledger, world.clock.monotonic(), states, repeats)

    def leave(self, killed: bool) -> list[Zombie]:
        """What a dead process leaves: its files as they are, and workers that have not noticed."""
        world = self.world
        if world.clock.unnoticed:
            # What waited for the clock that was is early or late by now.
            world.ledger.jumpy = True
        if not killed:
            return []
        world.ledger.crashes += 1
        world.note("crash")
        if self.house is None:
            world.release()
            return []
        self.house.let_go()
        return [zombie for zombie in self.house.working.values() if world.random.random() < 0.5]

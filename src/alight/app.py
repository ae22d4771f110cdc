"""The composition root: the rooms are built in the order of the floors and joined, in one screen (`run`).

`python -m alight.app --template T --host H --port P --data D` is the runtime's process. It prints its plan to stderr,
one line `Alight ready at URL` to stdout when it serves, and stops with its children at SIGTERM or SIGINT. A disk
that refuses a write ends it at once: what was not flushed was not promised.
"""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until all is imported, which stays: looking for garbage in it would cost a sixth of the start
    sys.modules["awscrt.auth"] = None  # type: ignore[assignment]  # botocore goes without: it takes 30 ms to load

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from alight import __version__, late, openfiles
from alight.assembly.console import login_link
from alight.assembly.doors import build_doors
from alight.assembly.entrance import build_authorizer, listen
from alight.assembly.formation import build_formation, with_formation
from alight.assembly.housekeeping import keep_tidy, report_damage, tidy_before_serving
from alight.assembly.log import begin_log, say
from alight.assembly.reach import check_reach
from alight.assembly.running import build_running
from alight.assembly.store import Store, open_store
from alight.assembly.telling import build_telling
from alight.assembly.templates import Templates
from alight.clock import SystemClock
from alight.console.entry import Entry
from alight.errors import AlightError
from alight.fence import tiers
from alight.gateway.route import Router
from alight.gateway.service_policy import service_may
from alight.services.resource_policies import ResourcePolicies
from alight.services.sqs import Sqs
from alight.services.sqs.metrics import measure_with
from alight.services.targets import Targets
from alight.settings import Settings, load_settings
from alight.stacks.answers import Answers
from alight.stacks.record import KIND as STACK
from alight.store.checksums import CRCS
from alight.store.connections import unreadable

#: Seconds that running work gets at SIGTERM.
GRACE = 5.0


async def run(settings: Settings, template: Path | None, stopping: asyncio.Event) -> None:
    """The runtime's life: build, serve, apply the template, say that it is ready, work until `stopping`."""
    clock = SystemClock()
    if warning := check_reach(settings):
        say(warning)
    # In a process of its own, beside what follows.
    probing = asyncio.create_task(asyncio.to_thread(tiers.offered), name="fence")
    async with AsyncExitStack() as exits:
        store = await open_store(settings, clock, exits)
        store.database.on_fatal = die
        store.database.on_damage = report_damage
        sqs = Sqs(store.database, store.records, clock, measure_with(store.telemetry))
        exits.push_async_callback(sqs.close)
        policies = ResourcePolicies(store.records, service_may)
        targets: Targets
        telling = await build_telling(store, lambda: targets, sqs, policies, exits)
        await probing
        running = build_running(store, telling.topics, exits)
        targets = Targets(store.records, running.catalogue, running.queue, telling.topics, sqs.send, policies.admits)
        doors = build_doors(store, running, telling, targets, sqs, say)
        answers = Answers(store.records, clock, store.address.local)
        exits.push_async_callback(answers.close)
        templates = Templates(store, doors, running.pool.interpreters, say, answers)
        formation = build_formation(store, doors, templates, build_authorizer(store, doors))
        doors = with_formation(doors, formation, store)
        await tidy_before_serving(store, running)
        # Before anybody can ask: endpoints of the last run are then on their way back, not unknown.
        await doors.sagemaker.resume()
        exits.push_async_callback(doors.sagemaker.close)
        sqs.resume()
        router, entry = Router(), Entry(bytes.fromhex(store.keys.session_secret), clock)
        server = await listen(
            store, running, telling, doors, templates, template, router, doors.apis.find, entry, exits
        )
        exits.push_async_callback(server.stop, GRACE)
        exits.callback(doors.tails.close)
        await formation.runs.resume()
        exits.push_async_callback(formation.runs.close)
        if template is not None and not await unless_stopped(stopping, bring_up(store, templates, template)):
            return
        sending = await telling.outbox.start()
        exits.push_async_callback(telling.outbox.close)
        dispatching = asyncio.create_task(running.dispatcher.run(), name="dispatcher")
        polling = asyncio.create_task(doors.pollers.run(), name="pollers")
        tidying = asyncio.create_task(keep_tidy(store, doors.s3.expire), name="housekeeping")
        watching = asyncio.create_task(doors.watch.run(), name="alarms")
        announce(store)
        say(f"Console: {login_link(store, entry)}")
        await asyncio.to_thread(router.warm)
        await late.load(CRCS)
        gc.freeze()  # the models stay, too
        await wait_for(stopping, dispatching, polling, sending)
        for task in (tidying, watching, dispatching, polling):
            task.cancel()
        await asyncio.gather(running.dispatcher.close(GRACE), doors.pollers.close(GRACE))
        (settings.data / "instance.json").unlink(missing_ok=True)


def announce(store: Store) -> None:
    """Tell the command line where we are, then everybody who waits."""
    facts = {
        "url": store.address.local(),
        "pid": os.getpid(),
        "started": store.address.since,
        "version": __version__,
    }
    path = store.settings.data / "instance.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(facts))
    temporary.rename(path)
    sys.stdout.write(f"Alight ready at {store.address.outer()}\n")
    sys.stdout.flush()


async def bring_up(store: Store, templates: Templates, template: Path) -> None:
    """Apply the template. One that cannot be applied ends a first start; a later one goes on with what is there, as
    accepted events must not wait until somebody has found the mistake."""
    known = bool(store.records.list(STACK, limit=1))
    try:
        await templates.apply(template)
    except AlightError as error:
        if not known:
            raise
        say(f"{error.message} {error.hint}".strip())
        say("The template was not applied; Alight goes on with what was there before.")


async def unless_stopped(stopping: asyncio.Event, work: Coroutine[Any, Any, Any]) -> bool:
    """Do `work`, which may install packages for minutes, or leave off where somebody asks to stop: then False. What
    was begun is recorded as begun, and the next start goes on from there."""
    working = asyncio.create_task(work)
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    if working.cancelled():
        return False
    working.result()
    return True


async def wait_for(stopping: asyncio.Event, *working: asyncio.Task[None]) -> None:
    """Until somebody asks to stop; a loop that ends by itself is a fault of ours, or the disk cannot read."""
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({asked, *working}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in working:
        if task.done() and not task.cancelled():
            if unreadable(error := task.exception()):
                die(error, "a read")
            task.result()


def die(error: BaseException | None, what: str = "a write") -> None:
    """The disk refused: nothing more may be promised, and what was promised is on it."""
    say(f"Alight stops: the disk refused {what} ({error}). Start it again once the disk is well.")
    os._exit(74)


def parse(words: Sequence[str]) -> tuple[Settings, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m alight.app", description=__doc__)
    parser.add_argument("--template", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--insecure", action="store_const", const=True)
    given = parser.parse_args(words)
    folder = given.template.parent if given.template else Path.cwd()
    flags = {name: value for name, value in vars(given).items() if name != "template"}
    settings = load_settings(folder, **flags)
    return replace(settings, data=settings.data.absolute()), given.template


async def serve_until_signal(settings: Settings, template: Path | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await run(settings, template, stopping)


def main(words: Sequence[str]) -> int:
    sys.modules.pop("awscrt.auth", None)
    # What was imported stays, and is never looked through again.
    gc.freeze()
    gc.enable()
    # What sixty requests under way hold is no garbage, and was looked through at every tenth of them.
    gc.set_threshold(5_000, 10, 10)
    # The writer's thread commits what the loop waits for: it must not wait five milliseconds for its turn.
    sys.setswitchinterval(0.0005)
    openfiles.raise_limit()
    begin_log()
    try:
        settings, template = parse(words)
        uvloop.run(serve_until_signal(settings, template))
    except AlightError as error:
        say(f"{error.message} {error.hint}".strip())
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

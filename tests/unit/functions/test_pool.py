"""The pool: who waits, who is warm, who goes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.functions.interpreters import UnsupportedRuntime
from alight.functions.invocation import Invocation, Outcome, PoolClosed, Throttled
from alight.functions.pool import MAX_AGE
from tests.unit.functions.bench import GATED, Bench, Gate, alive, answer, until

PID = "import os\ndef handler(event, context): return os.getpid()"


async def test_the_limit_makes_callers_wait_and_loses_none(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(limit=2)
    spec = bench.spec(
        """
        import os, time

        def handler(event, context):
            running = os.path.join(event["folder"], str(os.getpid()))
            open(running, "w").close()
            count = len(os.listdir(event["folder"]))
            time.sleep(0.01)
            os.unlink(running)
            return [event["number"], count]
        """
    )
    (tmp_path / "running").mkdir()
    payloads = [json.dumps({"number": n, "folder": str(tmp_path / "running")}).encode() for n in range(30)]
    told = [answer(outcome) for outcome in await asyncio.gather(*(bench.call(spec, payload) for payload in payloads))]
    assert [number for number, _ in told] == list(range(30))
    assert max(count for _, count in told) <= 2
    assert len(bench.pool.worker_ids("birds")) <= 2
    assert bench.pool.free_slots(spec) == 2


async def test_who_waits_for_room_is_told_when_a_call_has_ended(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    spec = bench.spec("def handler(event, context): return event")
    room: list[int] = []
    bench.pool.on_free = lambda event_id: room.append(bench.pool.free_slots(spec))
    await bench.call(spec, b"1")
    assert room == [1]


async def test_nor_does_anybody_sleep_over_a_place_that_came_to_who_had_just_left(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(limit=1)
    spec = bench.spec("def handler(event, context): return event")
    room: list[int] = []
    bench.pool.on_free = lambda event_id: room.append(bench.pool.free_slots(spec))
    await bench.pool._slots.acquire("other", None, wait=False)
    leaving = asyncio.create_task(bench.call(spec, b"1"))
    await asyncio.sleep(0)
    bench.pool._slots.release("other")
    assert bench.pool.free_slots(spec) == 0, "it has the place"
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert room == [1]


async def test_a_worker_s_last_call_is_known_after_its_end(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    spec = bench.spec("def handler(event, context): return event")
    await bench.pool.invoke(spec, Invocation("r1", b"1", event_id="e1", fence=3, staged=True))
    (worker,) = bench.pool.worker_ids("birds")
    for _ in ("idle", "gone"):
        last = bench.pool.latest(worker)
        assert last is not None
        assert (last.event_id, last.fence, last.staged) == ("e1", 3, True)
        assert bench.pool.current(worker) is None
        await bench.pool.retire("birds")
    assert not bench.pool.worker_ids("birds")
    assert bench.pool.latest("never heard of") is None


async def test_waiters_are_served_in_their_order(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    spec = bench.spec("def handler(event, context): return event")
    done: list[int] = []

    async def one(number: int) -> None:
        done.append(answer(await bench.call(spec, str(number).encode())))

    await asyncio.gather(*(one(number) for number in range(8)))
    assert done == list(range(8))


async def test_functions_take_turns(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    source = "def handler(event, context): return event"
    busy, other = bench.spec(source, name="busy"), bench.spec(source, name="other")
    done: list[str] = []

    async def one(name: str) -> None:
        await bench.call(busy if name == "busy" else other)
        done.append(name)

    await asyncio.gather(*(one("busy") for _ in range(6)), one("other"), one("other"))
    assert max(index for index, name in enumerate(done) if name == "other") <= 4


async def test_a_function_has_its_own_limit(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(limit=3)
    narrow = bench.spec(GATED, name="narrow", reserved=1)
    wide = bench.spec(GATED, name="wide")
    first, second = Gate(tmp_path, "first"), Gate(tmp_path, "second")
    running = asyncio.create_task(bench.call(narrow, first.payload("a")))
    await until(first.begun.exists)
    assert bench.pool.free_slots(narrow) == 0
    assert bench.pool.free_slots(wide) == 2
    for wait in (False, True):
        with pytest.raises(Throttled) as refused:
            await bench.pool.invoke(narrow, Invocation("r", b"{}"), wait=wait)
        assert refused.value.reserved
    second.open()
    assert answer(await bench.call(wide, second.payload("c"))) == "c"
    first.open()
    assert answer(await running) == "a"


async def test_who_goes_away_is_not_told_and_the_call_is_accounted(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench(limit=1)
    spec, gate, told = bench.spec(GATED), Gate(tmp_path), list[Outcome]()
    call = Invocation("r", gate.payload("done"))
    caller = asyncio.create_task(bench.pool.invoke(spec, call, ended=told.append))
    await until(gate.begun.exists)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert caller.cancelled()
    assert not told
    gate.open()
    await until(lambda: bool(told))
    assert answer(told[0]) == "done"
    assert bench.pool.free_slots(spec) == 1


async def test_a_caller_hears_what_came_of_it_after_the_account(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    spec, told = bench.spec("def handler(event, context): return event"), list[Outcome]()
    outcome = await bench.pool.invoke(spec, Invocation("r", b"1"), ended=told.append)
    assert told == [outcome]

    def fails(outcome: Outcome) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bench.pool.invoke(spec, Invocation("r", b"1"), ended=fails)


async def test_who_does_not_want_to_wait_is_told(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(limit=1)
    spec, gate = bench.spec(GATED), Gate(tmp_path)
    running = asyncio.create_task(bench.call(spec, gate.payload("done")))
    await until(gate.begun.exists)
    with pytest.raises(Throttled) as refused:
        await bench.pool.invoke(spec, Invocation("r", b"{}"), wait=False)
    assert not refused.value.reserved
    gate.open()
    assert answer(await running) == "done"


async def test_a_waiter_that_gives_up_leaves_no_gap(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(limit=1)
    spec, gate = bench.spec(GATED), Gate(tmp_path)
    running = asyncio.create_task(bench.call(spec, gate.payload(1)))
    await until(gate.begun.exists)
    gone = asyncio.create_task(bench.call(spec, gate.payload(2)))
    last = asyncio.create_task(bench.call(spec, gate.payload(3)))
    await asyncio.sleep(0)
    gone.cancel()
    gate.open()
    assert [answer(await running), answer(await last)] == [1, 3]
    assert gone.cancelled()
    assert bench.pool.free_slots(spec) == 1


async def test_a_caller_that_goes_away_does_not_stop_the_function(one_bench: Bench, tmp_path: Path) -> None:
    spec, gate = one_bench.spec(GATED), Gate(tmp_path)
    running = asyncio.create_task(one_bench.call(spec, gate.payload(), request_id="orphan"))
    await until(gate.begun.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.open()
    await until(lambda: any(message.startswith("REPORT") for message in one_bench.messages("orphan")))
    assert one_bench.pool.free_slots(spec) == 4


async def test_the_current_call_of_a_worker(one_bench: Bench, tmp_path: Path) -> None:
    spec, gate = one_bench.spec(GATED), Gate(tmp_path)
    call = Invocation("r-1", gate.payload(), event_id="e-1", fence=3, staged=True)
    running = asyncio.create_task(one_bench.pool.invoke(spec, call))
    await until(gate.begun.exists)
    (worker_id,) = one_bench.pool.worker_ids("birds")
    assert one_bench.pool.current(worker_id) == call
    assert one_bench.pool.current("somebody") is None
    gate.open()
    await running
    assert one_bench.pool.current(worker_id) is None


async def test_idle_workers_go(make_bench: Callable[..., Bench]) -> None:
    clock = ManualClock()
    bench = make_bench(idle_timeout=60.0, clock=clock)
    spec = bench.spec(PID)
    pid = answer(await bench.call(spec))
    await asyncio.sleep(0)
    clock.advance(59)
    assert answer(await bench.call(spec)) == pid
    await asyncio.sleep(0)
    clock.advance(59)
    for _ in range(10):
        await asyncio.sleep(0)
    assert alive(pid)
    assert bench.pool.worker_ids("birds")
    clock.advance(2)
    await until(lambda: not alive(pid))
    await until(lambda: not bench.pool.worker_ids("birds"))
    assert list((bench.folder / "data" / "run").iterdir()) == []
    assert answer(await bench.call(spec)) != pid


async def test_old_workers_are_replaced_when_idle(make_bench: Callable[..., Bench]) -> None:
    clock = ManualClock()
    bench = make_bench(idle_timeout=2 * MAX_AGE, clock=clock)
    pid = answer(await bench.call(bench.spec(PID)))
    clock.advance(MAX_AGE + 1)
    assert answer(await bench.call(bench.spec(PID))) != pid
    await until(lambda: not alive(pid))


async def test_a_warm_worker_that_died_is_replaced(one_bench: Bench) -> None:
    spec = one_bench.spec(PID)
    pid = answer(await one_bench.call(spec))
    os.kill(pid, signal.SIGKILL)
    outcome = await one_bench.call(spec)
    if outcome.kind == "ok":
        assert answer(outcome) != pid
    else:  # the call came before the news
        assert outcome.kind == "crash"
        assert answer(await one_bench.call(spec)) != pid


async def test_retired_code_finishes_and_new_code_runs(one_bench: Bench, tmp_path: Path) -> None:
    old, gate = one_bench.spec(GATED), Gate(tmp_path)
    idle_gate = Gate(tmp_path, "idle")
    idle_gate.open()
    running = asyncio.create_task(one_bench.call(old, gate.payload("old")))
    await until(gate.begun.exists)
    await one_bench.call(old, idle_gate.payload())
    assert len(one_bench.pool.worker_ids("birds")) == 2
    await one_bench.pool.retire("birds")
    assert len(one_bench.pool.worker_ids("birds")) == 1
    new = replace(old, code_dir=one_bench.code("def handler(event, context): return 'new'", name="new"))
    assert answer(await one_bench.call(new)) == "new"
    gate.open()
    assert answer(await running) == "old"
    await until(lambda: len(one_bench.pool.worker_ids("birds")) == 1)
    assert answer(await one_bench.call(new)) == "new"


async def test_another_configuration_gets_another_worker(one_bench: Bench) -> None:
    spec = one_bench.spec("import os\ndef handler(event, context): return os.environ.get('KIND')")
    assert answer(await one_bench.call(replace(spec, environment={"KIND": "a"}))) == "a"
    assert answer(await one_bench.call(replace(spec, environment={"KIND": "b"}))) == "b"


async def test_too_many_warm_workers_make_room(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limit=1)
    for number in range(7):
        await bench.call(bench.spec(PID, name=f"f{number}"))
    await until(lambda: sum(len(bench.pool.worker_ids(f"f{number}")) for number in range(7)) <= 4)
    assert bench.pool.worker_ids("f6")
    assert not bench.pool.worker_ids("f0")


async def test_closing_kills_what_runs(one_bench: Bench, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    running = asyncio.create_task(one_bench.call(one_bench.spec(GATED), gate.payload(), request_id="r"))
    await until(gate.begun.exists)
    await one_bench.pool.close()
    outcome = await running
    assert (outcome.kind, outcome.function_error) == ("killed", "Unhandled")
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert list((one_bench.folder / "data" / "run").iterdir()) == []


async def test_under_fire(make_bench: Callable[..., Bench]) -> None:
    """Workers are killed and code is replaced while calls come in: each call ends, with an answer or a reason."""
    bench = make_bench(limit=3)
    spec = bench.spec("import os, time\ndef handler(event, context): time.sleep(0.005); return event")
    chance = random.Random(7)
    calls = [asyncio.create_task(bench.call(spec, str(number).encode())) for number in range(150)]
    kills = 0
    while not all(call.done() for call in calls):
        await asyncio.sleep(0.02)
        victims = [worker.pid for worker in bench.pool._workers.values() if worker.pid and worker.alive]
        if victims and kills < 15:
            kills += 1
            os.kill(chance.choice(victims), signal.SIGKILL)
        elif chance.random() < 0.1:
            await bench.pool.retire("birds")
    outcomes = [call.result() for call in calls]
    for number, outcome in enumerate(outcomes):
        if outcome.kind == "ok":
            assert answer(outcome) == number
        else:
            assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert sum(outcome.kind == "ok" for outcome in outcomes) >= 150 - kills
    assert bench.pool.free_slots(spec) == 3


async def test_nothing_of_a_worker_is_left(one_bench: Bench) -> None:
    """Descriptors, tasks and folders are as before, after many starts."""
    spec = one_bench.spec(PID)

    async def one_round() -> None:
        await one_bench.call(spec)
        await one_bench.pool.retire("birds")
        await one_bench.call(replace(spec, handler="app.gone"))
        await until(lambda: not one_bench.pool._workers)

    await one_round()
    descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
    for _ in range(10):
        await one_round()
    await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert list((one_bench.folder / "data" / "run").iterdir()) == []


async def test_nothing_begins_after_the_end(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(limit=1)
    spec, gate = bench.spec(GATED), Gate(tmp_path)
    running = asyncio.create_task(bench.call(spec, gate.payload()))
    await until(gate.begun.exists)
    waiting = asyncio.create_task(bench.call(spec, gate.payload()))
    await asyncio.sleep(0)
    await bench.pool.close()
    assert (await running).kind == "killed"
    with pytest.raises(PoolClosed):
        await waiting
    with pytest.raises(PoolClosed):
        await bench.call(spec)
    assert bench.pool.free_slots(spec) == 0


async def test_an_interpreter_that_is_gone(one_bench: Bench) -> None:
    spec = one_bench.spec(PID, venv=one_bench.folder / "nowhere")
    outcome = await one_bench.call(spec)
    assert outcome.kind == "init"
    assert json.loads(outcome.payload)["errorType"] == "Runtime.InvalidEntrypoint"
    assert "No such file" in json.loads(outcome.payload)["errorMessage"]


@pytest.mark.parametrize("runtime", ["nodejs22.x", "java21", "dotnet8", "ruby3.3", "go1.x", "cobol"])
async def test_other_languages_are_refused_by_name(one_bench: Bench, runtime: str) -> None:
    spec = one_bench.spec(PID, runtime=runtime)
    with pytest.raises(UnsupportedRuntime, match=runtime):
        await one_bench.call(spec)
    assert one_bench.pool.free_slots(spec) == 4


async def test_provided_needs_its_executable(one_bench: Bench) -> None:
    with pytest.raises(UnsupportedRuntime, match="needs an executable named `bootstrap`"):
        await one_bench.call(one_bench.spec("", runtime="provided.al2023"))


@pytest.mark.parametrize("place", ["code", "layer"])
async def test_a_bootstrap_of_its_own(one_bench: Bench, place: str) -> None:
    layer = one_bench.folder / "opt"
    layer.mkdir()
    spec = one_bench.spec("", runtime="provided.al2023", handler="anything.goes", opt=layer)
    program = (spec.code_dir if place == "code" else layer) / "bootstrap"
    program.write_text(
        """#!/bin/bash
        place="${AWS_LAMBDA_RUNTIME_API%%/*}"
        token="${AWS_LAMBDA_RUNTIME_API#*/}"
        api="/$token/2018-06-01/runtime/invocation"
        exec 3<>"/dev/tcp/${place%%:*}/${place##*:}"
        printf 'GET %s/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' "$api" >&3
        while IFS= read -r line <&3; do
            line="${line%$'\\r'}"
            case "$line" in
                Lambda-Runtime-Aws-Request-Id:*) id="${line#*: }" ;;
                Content-Length:*) size="${line#*: }" ;;
                "") break ;;
            esac
        done
        read -r -N "$size" event <&3
        body="{\\"handler\\": \\"$_HANDLER\\", \\"event\\": $event}"
        printf 'POST %s/%s/response HTTP/1.1\\r\\nHost: x\\r\\n' "$api" "$id" >&3
        printf 'Content-Length: %s\\r\\n\\r\\n%s' "${#body}" "$body" >&3
        read -r status <&3
        echo "answered $status"
        sleep 60
        """
    )
    program.chmod(0o755)
    outcome = await one_bench.call(spec, b'{"a":1}')
    assert answer(outcome) == {"handler": "anything.goes", "event": {"a": 1}}
    assert outcome.log_tail.startswith(b"INIT_START Runtime Version: provided\n")

"""What a handler may not do for ever: run, hold memory, print, leave processes behind."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import time

import pytest

from tests.unit.functions.bench import Bench, alive, answer, error, until

RID = "8f5a2b1c-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    "statement",
    ["time.sleep(60)", "ctypes.PyDLL(None).sleep(60)", "spin()", "ignore_signals()"],
    ids=["sleep", "sleep in C with the GIL held", "busy loop", "signals ignored"],
)
async def test_the_time_limit(bench: Bench, statement: str) -> None:
    spec = bench.spec(
        f"""
        import ctypes, os, signal, time

        def spin():
            while True:
                pass

        def ignore_signals():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)

        def handler(event, context):
            if event:
                {statement}
            return os.getpid()
        """,
        timeout=0.4,
    )
    pid = answer(await bench.call(spec, b"0"))  # loaded: from here on the limit counts for the handler alone
    began = time.monotonic()
    outcome = await bench.call(spec, b"1", request_id=RID)
    assert 0.4 <= time.monotonic() - began < 30, "not as long as the handler would take"
    assert outcome.kind == "timeout"
    assert error(outcome) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {RID} Error: Task timed out after 0.40 seconds",
    }
    assert re.search(
        rf"\n\d{{4}}-\d\d-\d\dT[\d:.]+Z {RID} Task timed out after 0.40 seconds\n\nEND RequestId: {RID}\n"
        rf"REPORT RequestId: {RID}\tDuration: 400.00 ms\tBilled Duration: 400 ms\tMemory Size: 256 MB\t"
        r"Max Memory Used: \d+ MB\tStatus: timeout\t\n$",
        outcome.log_tail.decode(),
    )
    assert not alive(pid)
    after = await bench.call(spec, b"0")
    assert answer(after) != pid
    assert after.init_ms is not None


async def test_loading_that_never_ends(one_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alight.functions.sandbox.INIT_LIMIT", 0.3)
    outcome = await one_bench.call(one_bench.spec("import time; time.sleep(60)", timeout=0.2), request_id=RID)
    assert outcome.kind == "timeout"
    assert "\tPhase: init\tStatus: timeout\n" in outcome.log_tail.decode()


async def test_what_it_started_dies_with_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the family tree alone: environments of others can be read by privileged users only."""
    monkeypatch.setattr("alight.functions.sandbox.kill_marked", lambda mark: 0)
    spec = bench.spec(
        """
        import os, subprocess, sys, time

        def handler(event, context):
            plain = subprocess.Popen(["sleep", "1000"])
            detached = subprocess.Popen(["sleep", "1001"], start_new_session=True)
            reader, writer = os.pipe()
            if os.fork() == 0:  # a daemon: its parent is gone, its session its own
                os.setsid()
                if os.fork() == 0:
                    os.write(writer, str(os.getpid()).encode())
                    time.sleep(1002)
                os._exit(0)
            print("started", plain.pid, detached.pid, os.read(reader, 20).decode(), os.getpid())
            time.sleep(60)
        """
    )
    running = asyncio.create_task(bench.call(spec, b"1"))
    await until(lambda: any(message.startswith("started") for message in bench.messages()))
    # As its timer would, which would not wait until all of them have started.
    [worker] = bench.pool._workers.values()
    worker._timed_out()
    outcome = await running
    assert outcome.kind == "timeout"
    pids = [int(pid) for pid in re.search(r"started ([\d ]+)\n", outcome.log_tail.decode()).group(1).split()]  # type: ignore[union-attr]
    assert len(pids) == 4
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_what_it_left_running_dies_when_it_crashes(one_bench: Bench) -> None:
    spec = one_bench.spec(
        """
        import os, subprocess

        def handler(event, context):
            print("started", subprocess.Popen(["sleep", "1003"], start_new_session=True).pid)
            os._exit(1)
        """
    )
    outcome = await one_bench.call(spec)
    pid = int(re.search(r"started (\d+)", outcome.log_tail.decode()).group(1))  # type: ignore[union-attr]
    await until(lambda: not alive(pid))


MEMORY = """
import os, subprocess, sys, time

GROW = "kept = []\\nwhile True: kept.append(bytearray(b'x' * (4 << 20))); import time; time.sleep(0.002)"

def handler(event, context):
    kept = []
    if event == "grow":
        print("growing")
        while True:
            kept.append(bytearray(b"x" * (4 << 20)))
    if event == "child":
        subprocess.run([sys.executable, "-S", "-c", GROW])
    if event == "shared":
        import mmap
        while True:
            kept.append(mmap.mmap(-1, 4 << 20))
            kept[-1].write(b"x" * (4 << 20))
    if event == "reserve":
        import mmap
        kept.append(mmap.mmap(-1, 4 << 30))  # taken, never touched
    if event == "forks":
        kept.append(bytearray(b"x" * (40 << 20)))
        for _ in range(4):  # they share the pages: counted once
            if os.fork() == 0:
                time.sleep(0.3)
                os._exit(0)
        time.sleep(0.2)
    return "held"
"""


@pytest.mark.parametrize("event", ["grow", "child", "shared"])
async def test_the_memory_limit(bench: Bench, event: str) -> None:
    spec = bench.spec(MEMORY, memory_mb=128)
    outcome = await bench.call(spec, f'"{event}"'.encode(), request_id=RID)
    assert outcome.kind == "oom"
    assert error(outcome) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {RID} Error: Runtime exited with error: signal: killed",
    }
    log = outcome.log_tail.decode()
    assert f"RequestId: {RID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\nEND" in log
    assert "\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t" in log
    assert log.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\t\n")
    assert answer(await bench.call(spec, b'"nothing"')) == "held"


@pytest.mark.parametrize("event", ["reserve", "forks"])
async def test_memory_that_is_not_held_does_not_count(one_bench: Bench, event: str) -> None:
    outcome = await one_bench.call(one_bench.spec(MEMORY, memory_mb=128), f'"{event}"'.encode())
    assert answer(outcome) == "held"
    assert outcome.max_memory_mb < 128


FLOODS = """
import os, sys

def handler(event, context):
    print("first")
    if event == "lines":
        for number in range(300_000):
            print("line", number)
    if event == "one line":
        for _ in range(1000):
            os.write(1, b"x" * 100_000)
    if event == "binary":
        os.write(1, bytes(range(256)) * 20_000)
    if event == "no newline":
        os.write(2, b"the end without a break")
    if event == "breaks":
        os.write(1, b"\\n" * 3_000_000)
    return "done"
"""


@pytest.mark.parametrize("event", ["lines", "one line", "binary", "breaks"])
async def test_floods_of_output(bench: Bench, event: str) -> None:
    spec = bench.spec(FLOODS, timeout=30)
    outcome = await bench.call(spec, f'"{event}"'.encode(), request_id=RID)
    assert answer(outcome) == "done"
    messages = bench.messages(RID)
    assert messages[1] == "first"
    assert sum(len(message.encode()) for message in messages) < 3.2 * 1024 * 1024
    assert max(len(message) for message in messages) <= 256 * 1024
    assert any(re.fullmatch(r"\d+ further bytes of output were dropped .*", message) for message in messages)
    assert messages[-1].startswith("REPORT")
    assert len(outcome.log_tail) <= 4096
    assert outcome.log_tail.decode("utf-8", "replace").endswith("\t\n")
    again = await bench.call(spec, b'"no newline"', request_id="again")
    assert bench.messages("again")[1:3] == ["first", "the end without a break"]
    assert again.log_tail.startswith(b"START RequestId: again")


async def test_of_lines_that_come_at_once_ten_thousand_are_kept(one_bench: Bench) -> None:
    spec = one_bench.spec("import os\ndef handler(event, context): os.write(1, b'x\\n' * 12_000)")
    await one_bench.call(spec, request_id=RID)
    messages = one_bench.messages(RID)
    assert messages.count("x") == 10_000
    assert any(message.startswith("4000 further bytes") for message in messages)


async def test_output_between_calls_belongs_to_none(one_bench: Bench) -> None:
    spec = one_bench.spec(
        """
        import threading, os

        def handler(event, context):
            if event:
                timer = threading.Timer(0.05, os.write, (1, b"afterthought\\n"))
                timer.start()
        """
    )
    await one_bench.call(spec, b"1")
    await until(lambda: "afterthought" in one_bench.messages(""))
    second = await one_bench.call(spec, b"0", request_id="r-2")
    assert second.log_tail.startswith(b"START RequestId: r-2")


async def test_a_flood_does_not_hold_up_the_loop(one_bench: Bench) -> None:
    """Measured in this thread's own processor time: other tests may keep the machine busy."""
    spec = one_bench.spec(FLOODS, timeout=30)
    running = asyncio.create_task(one_bench.call(spec, b'"one line"'))
    longest = 0.0
    gc.disable()  # looking for garbage in all that the tests have loaded would count
    try:
        while not running.done():
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)
    finally:
        gc.enable()
    assert answer(running.result()) == "done"
    assert longest < 0.1


async def test_limits_of_the_process(bench: Bench) -> None:
    spec = bench.spec(
        """
        import os, resource

        def handler(event, context):
            status = open("/proc/self/status").read()
            try:
                with open(os.environ["TMPDIR"] + "/big", "wb") as file:
                    file.truncate(513 << 20)
                wrote = "everything"
            except OSError as error:
                wrote = type(error).__name__
            return {
                "core": resource.getrlimit(resource.RLIMIT_CORE),
                "files": resource.getrlimit(resource.RLIMIT_NOFILE),
                "space": resource.getrlimit(resource.RLIMIT_AS)[0] > (64 << 30),
                "privileges": [line for line in status.splitlines() if line.startswith("NoNewPrivs")],
                "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
                "stdin": os.read(0, 10).decode(),
                "descriptors": len(os.listdir("/proc/self/fd")),
                "wrote": wrote,
            }
        """
    )
    told = answer(await bench.call(spec))
    # stdin, stdout, stderr, the connection with what its client needs, and the one that lists them
    assert told.pop("descriptors") <= 8
    assert told == {
        "core": [0, 0],
        "files": [1024, 1024],
        "space": True,
        "privileges": ["NoNewPrivs:\t1"],
        "leads": [True, True],
        "stdin": "",
        "wrote": "OSError",
    }


async def test_a_worker_that_leaks_descriptors_is_replaced(bench: Bench) -> None:
    spec = bench.spec(
        """
        import os
        leaked = []

        def handler(event, context):
            leaked.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(event))
            return [os.getpid(), len(leaked)]
        """
    )
    first, leaked = answer(await bench.call(spec, b"600"))
    assert leaked == 600
    assert answer(await bench.call(spec, b"1"))[0] != first


async def test_a_worker_above_its_memory_takes_no_further_call(one_bench: Bench) -> None:
    """Too quick to be seen while it ran: the answer stands, the worker goes."""
    spec = one_bench.spec(
        """
        import os
        kept = []

        def handler(event, context):
            if event:
                kept.append(bytearray(b"x" * (150 << 20)))
            return os.getpid()
        """,
        memory_mb=128,
    )
    one_bench.pool._guard.watch = lambda worker: None  # type: ignore[method-assign]
    first = await one_bench.call(spec, b"1")
    assert (first.kind, first.max_memory_mb) == ("ok", 128)
    assert answer(await one_bench.call(spec, b"0")) != answer(first)


@pytest.mark.skipif(os.geteuid() == 0, reason="root is not held by the limit on processes")
async def test_a_fork_bomb_is_stopped(one_bench: Bench) -> None:
    spec = one_bench.spec(
        """
        import os, time

        def handler(event, context):
            try:
                while os.fork():
                    pass
                time.sleep(30)
            except BlockingIOError:
                return "enough"
        """
    )
    assert answer(await one_bench.call(spec)) == "enough"

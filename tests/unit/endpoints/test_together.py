"""Replicas that take several requests at once: same answers, own errors, and what happens when one dies or hangs."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from alight.clock import SystemClock
from alight.endpoints.client import Told
from alight.endpoints.contract import Reply
from alight.endpoints.fleet import Fleet, _Asked
from alight.endpoints.process import Launch, ReplicaProcess
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import Answer, Limits
from alight.errors.sagemaker import ModelError
from tests.unit.endpoints import boosters
from tests.unit.endpoints.conftest import one

Make = Callable[..., Endpoints]

#: A server that takes eight requests before it answers: `die` ends it, `wait PATH` until the file is there, and
#: anything else is answered with what it held at that moment.
GREEDY = """
import os, socket, sys, time

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
connection, _ = listener.accept()
file = connection.makefile("rb")
while True:
    head = []
    while (line := file.readline().strip()):
        head.append(line.decode().lower())
    if not head:
        break
    size = next(int(line.split(":")[1]) for line in head if line.startswith("content-length"))
    body = file.read(size).decode()
    word, _, rest = body.partition(" ")
    if word == "die":
        os.abort()
    if word == "once" and not os.path.exists(rest):
        open(rest, "w").close()
        os.abort()
    if word == "wait":
        open(rest + ".here", "w").close()
        while not os.path.exists(rest):
            time.sleep(0.005)
    answer = f"{os.getpid()} {body}".encode()
    head = f"HTTP/1.1 200 OK\\r\\nX-Alight-At-Once: 8\\r\\nContent-Length: {len(answer)}\\r\\n\\r\\n"
    connection.sendall(head.encode() + answer)
"""


@pytest.fixture
def greedy(tmp_path: Path) -> dict[str, Any]:
    program = tmp_path / "greedy.py"
    program.write_text(GREEDY)
    (tmp_path / "package").mkdir()
    return {"model_dir": tmp_path / "package", "ALIGHT_SERVER": shlex.join([sys.executable, str(program), "{socket}"])}


async def say(endpoints: Endpoints, words: str) -> str:
    answer = await endpoints.invoke("endpoint", words.encode(), content_type="text/plain", accept=None)
    return answer.body.decode().partition(" ")[2]


async def until(condition: Callable[[], bool], limit: float = 20.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


def pids(endpoints: Endpoints) -> tuple[int, ...]:
    status = endpoints.status("endpoint")
    assert status is not None
    return status.variants[0].pids


async def test_500_rows_in_batches_of_mixed_sizes_are_the_models_own(make_endpoints: Make, tmp_path: Path) -> None:
    # Given a model of 200 trees on 60 columns, and rows with numbers of all kinds and holes
    booster = boosters.train(width=60, rounds=200, max_depth=5)
    endpoints = make_endpoints(replicas=2)
    await endpoints.deploy(one(boosters.save(booster, tmp_path / "package", "ubj")))
    chance = np.random.default_rng(7)
    rows = np.where(chance.random((500, 60)) < 0.5, chance.integers(0, 9, (500, 60)), chance.normal(size=(500, 60)))
    rows[chance.random(rows.shape) < 0.05] = np.nan
    sizes: list[int] = []
    while sum(sizes) < 500:
        sizes.append(min(int(chance.choice([1, 1, 1, 2, 3, 17, 64])), 500 - sum(sizes)))
    parts = np.split(rows, np.cumsum(sizes)[:-1])
    texts = ["\n".join(",".join("" if v != v else repr(v) for v in row) for row in part.tolist()) for part in parts]

    async def ask(text: str) -> str:
        answer = await endpoints.invoke("endpoint", text.encode(), content_type="text/csv", accept=None)
        return answer.body.decode()

    # When all are asked at the same time, with broken ones among them
    bad = [ask("1,2"), ask("a,b,c"), ask("1,2,3")]
    answers = await asyncio.gather(*map(ask, texts), *bad, return_exceptions=True)
    # Then each has the bits that the model gives it alone, and each broken one its own error
    expected = [",".join(map(str, boosters.predict(booster, part).tolist())) for part in parts]
    assert answers[: len(texts)] == expected
    statuses = [error.members["OriginalStatusCode"] for error in answers[len(texts) :] if isinstance(error, ModelError)]
    assert statuses == [400, 415, 400]


async def test_requests_that_a_killed_replica_held_are_asked_again(endpoints: Endpoints, tmp_path: Path) -> None:
    booster = boosters.train()
    await endpoints.deploy(one(boosters.save(booster, tmp_path / "package")))
    (pid,) = pids(endpoints)
    os.kill(pid, signal.SIGSTOP)
    asked = [
        asyncio.create_task(endpoints.invoke("endpoint", b"%d,2,3,4" % n, content_type="text/csv", accept=None))
        for n in range(10)
    ]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.gather(*asked)
    expected = boosters.predict(booster, np.array([[n, 2, 3, 4] for n in range(10)])).tolist()
    assert [float(answer.body) for answer in answers] == expected
    assert pids(endpoints) != (pid,)


async def test_a_replica_holds_as_many_as_it_says_and_answers_each(
    make_endpoints: Make, greedy: dict[str, Any], tmp_path: Path
) -> None:
    endpoints = make_endpoints(waiting=2)
    await endpoints.deploy(one(**greedy))
    gate = tmp_path / "gate"
    asked = [asyncio.create_task(say(endpoints, f"wait {gate}")) for _ in range(12)]
    # Eight are with the replica, two wait in line, two are refused
    await until(lambda: sum(task.done() for task in asked) == 2)
    gate.touch()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert outcomes.count(f"wait {gate}") == 10


async def test_the_one_that_ends_replicas_takes_no_other_with_it(
    endpoints: Endpoints, greedy: dict[str, Any], tmp_path: Path
) -> None:
    await endpoints.deploy(one(**greedy))
    gate = tmp_path / "gate"
    asked = [asyncio.create_task(say(endpoints, words)) for words in (f"wait {gate}", "a", "die", "b", "c")]
    await until(lambda: gate.with_name("gate.here").exists())
    gate.touch()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [*outcomes[:2], *outcomes[3:]] == [f"wait {gate}", "a", "b", "c"]
    assert isinstance(outcomes[2], ModelError)
    assert "process ended" in str(outcomes[2])


class Eight:
    """A replica of which only its places count. It is its own connection, too: what it was sent is answered by hand."""

    at_once = 8

    def __init__(self) -> None:
        self.connection = self
        self.sent: list[tuple[bytes, Told]] = []

    def alive(self) -> bool:
        return True

    def send(self, method: str, path: str, headers: Any, body: bytes, parts: Any, told: Told) -> None:
        self.sent.append((body, told))

    def answer(self) -> None:
        body, told = self.sent.pop(0)
        told(Reply(body))


def fleet_of(replica: Eight, folder: Path, **limits: Any) -> Fleet:
    launch = Launch(folder, folder, {}, lambda line: None, 1.0, 1)
    fleet = Fleet(launch, 1, folder, "x", Limits(**limits), SystemClock())
    fleet._alive[cast(ReplicaProcess, replica)] = 0
    return fleet


async def test_a_new_request_does_not_overtake_one_that_waits_to_be_alone(tmp_path: Path) -> None:
    # Given a replica with one request, and one in line that must be alone
    eight = Eight()
    fleet = fleet_of(eight, tmp_path)
    until_then = asyncio.get_running_loop().time() + 20

    async def ask(body: bytes, alone: bool) -> bytes:
        asked = _Asked({}, body, None, alone, asyncio.get_running_loop().create_future(), until_then, None)
        fleet._begin(asked)
        try:
            return (await asked.answer).body
        finally:
            fleet._leave(asked)

    def sent() -> list[bytes]:
        return [body for body, _ in eight.sent]

    asked = [asyncio.create_task(ask(*one)) for one in ((b"first", False), (b"alone", True), (b"after", False))]
    await asyncio.sleep(0)
    # Then another that comes waits behind it, though there are places
    assert sent() == [b"first"]
    eight.answer()
    assert sent() == [b"alone"]
    eight.answer()
    assert sent() == [b"after"]
    # And when the one in line goes away, those behind it go on
    gone, last = asyncio.create_task(ask(b"gone", True)), asyncio.create_task(ask(b"last", False))
    await asyncio.sleep(0)
    assert sent() == [b"after"]
    gone.cancel()
    await asyncio.wait({gone})
    assert sent() == [b"after", b"last"]
    eight.answer()
    eight.answer()
    assert await asyncio.gather(*asked, last) == [b"first", b"alone", b"after", b"last"]
    assert set(fleet._alive.values()) == {0}


async def test_the_next_in_line_is_on_its_way_in_the_moment_of_an_answer(tmp_path: Path) -> None:
    eight = Eight()
    fleet = fleet_of(eight, tmp_path)
    asked = [asyncio.create_task(fleet.ask({}, b"%d" % number)) for number in range(10)]
    await asyncio.sleep(0)
    assert len(eight.sent) == 8
    # Before anybody else had a turn
    eight.answer()
    assert [body for body, _ in eight.sent] == [b"%d" % number for number in range(1, 9)]
    while eight.sent:
        eight.answer()
    assert [(await one).body for one in asked] == [b"%d" % number for number in range(10)]
    await fleet.close()


async def test_one_whose_caller_left_keeps_its_time_limit(make_endpoints: Make, tmp_path: Path) -> None:
    # Given a request that never ends, and whose caller goes away
    endpoints = make_endpoints(invocation=1.0)
    program = tmp_path / "greedy.py"
    program.write_text(GREEDY.replace("At-Once: 8", "At-Once: 1"))
    (tmp_path / "package").mkdir()
    await endpoints.deploy(one(tmp_path / "package", ALIGHT_SERVER=f"{sys.executable} {program} {{socket}}"))
    (pid,) = pids(endpoints)
    stuck = asyncio.create_task(say(endpoints, f"wait {tmp_path / 'never'}"))
    await until(lambda: (tmp_path / "never.here").exists())
    stuck.cancel()
    # Then its replica is ended in time, and the next one answers
    await until(lambda: pid not in pids(endpoints))
    await until(lambda: bool(pids(endpoints)))
    assert await say(endpoints, "0") == "0"


async def test_one_that_runs_out_of_time_ends_its_replica_and_the_others_are_asked_again(
    make_endpoints: Make, greedy: dict[str, Any], tmp_path: Path
) -> None:
    endpoints = make_endpoints(invocation=3.0)
    await endpoints.deploy(one(**greedy))
    (pid,) = pids(endpoints)
    stuck = asyncio.create_task(say(endpoints, f"wait {tmp_path / 'never'}"))
    await until(lambda: (tmp_path / "never.here").exists())
    # The others must have more time left than the one that is stuck
    later = asyncio.get_running_loop().time() + 2.5
    await until(lambda: asyncio.get_running_loop().time() > later)
    others = [asyncio.create_task(say(endpoints, f"{n}")) for n in range(3)]
    with pytest.raises(ModelError, match="timed out"):
        await stuck
    assert await asyncio.gather(*others) == ["0", "1", "2"]
    assert pids(endpoints) != (pid,)


async def test_requests_are_shared_out_evenly(make_endpoints: Make, greedy: dict[str, Any], tmp_path: Path) -> None:
    endpoints = make_endpoints(replicas=2)
    await endpoints.deploy(one(**greedy))
    gate = tmp_path / "gate"

    async def who() -> Answer:
        return await endpoints.invoke("endpoint", f"wait {gate}".encode(), content_type="text/plain", accept=None)

    asked = [asyncio.create_task(who()) for _ in range(8)]
    await until(lambda: gate.with_name("gate.here").exists())
    gate.touch()
    answers = [(await task).body.split()[0] for task in asked]
    assert sorted(answers.count(pid) for pid in set(answers)) == [4, 4]

"""Processes that are killed or stopped: nobody survives the runtime, and nothing that was accepted is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alight.cli.instance import open_door
from tests.support import Instance, Start, eventually, invoke
from tests.walk.making import events, make_endpoint, make_function, make_role, processes_of, state_of

#: Notes who works on which request, and works until it may end.
CODE = """
import os, time
def handler(event, context):
    with open(os.path.join(os.environ["NOTES"], context.aws_request_id), "a") as note:
        note.write(f"{os.getpid()}\\n")
    while not os.path.exists(os.path.join(os.environ["NOTES"], "go")):
        time.sleep(0.005)
    return os.getpid()
"""

#: Answers with its pid; a request of `wait` notes the pid first and takes its time.
INFERENCE = """
import os, time
def model_fn(model_dir):
    return os.environ["NOTES"]
def input_fn(body, content_type):
    return body
def predict_fn(body, notes):
    if body in (b"wait", "wait"):
        with open(os.path.join(notes, "asked"), "a") as note:
            note.write(f"{os.getpid()}\\n")
        while not os.path.exists(os.path.join(notes, "go")):
            time.sleep(0.005)
    return str(os.getpid())
def output_fn(answer, accept):
    return answer, "text/plain"
"""


@dataclass(frozen=True)
class House:
    """An instance, and the folder where handlers leave notes."""

    instance: Instance
    notes: Path

    def event(self, function: str) -> str:
        """Hand an event to a function; its id."""
        answer = invoke(self.instance.client("lambda"), FunctionName=function, InvocationType="Event", Payload=b"{}")
        return str(answer["ResponseMetadata"]["RequestId"])

    def workers(self, name: str, count: int = 1) -> list[int]:
        """The pids that began to work on a request, once they are so many."""

        def noted() -> list[int] | None:
            path = self.notes / name
            lines = path.read_text().split("\n")[:-1] if path.exists() else []
            return [int(line) for line in lines] if len(lines) >= count else None

        return list(eventually(noted, what=f"attempt {count} at {name}"))

    def let_go(self) -> None:
        (self.notes / "go").touch()

    def ended(self, id: str) -> dict[str, Any]:
        """An event that has come to its end, with the outcomes of its attempts."""
        [done] = eventually(
            lambda: [event for event in events(self.instance) if event["id"] == id and event["finished"]],
            what="the end of the event",
        )
        shown = open_door(self.instance.data).get(f"events/{id}")
        outcomes = [attempt["outcome"] for attempt in shown["history"]]
        return {**done, "outcomes": outcomes, "result": shown["result"]}

    def ask(self, body: bytes = b"who?") -> int:
        """Invoke the endpoint; the pid of the replica that answered."""
        answer = self.instance.client("sagemaker-runtime", read_timeout=40).invoke_endpoint(
            EndpointName="pid", ContentType="text/plain", Body=body
        )
        return int(answer["Body"].read())


@pytest.fixture
def house(start: Start, tmp_path: Path) -> House:
    notes = tmp_path / "notes"
    notes.mkdir()
    instance = start(ALIGHT_RETRY_DELAYS="0.05,0.05", ALIGHT_CONCURRENCY="4", ALIGHT_WORKER_PATHS=str(notes))
    make_role(instance)
    return House(instance, notes)


@pytest.fixture
def threads() -> Iterator[Callable[[Callable[[], Any]], list[Any]]]:
    """Run something beside the test; what it returned is in the list once its thread has ended."""
    running: list[threading.Thread] = []

    def begin(work: Callable[[], Any]) -> list[Any]:
        results: list[Any] = []

        def run() -> None:
            try:
                results.append(work())
            except Exception as error:
                results.append(error)

        running.append(threading.Thread(target=run, daemon=True))
        running[-1].start()
        return results

    yield begin
    for thread in running:
        thread.join(40)
        assert not thread.is_alive()


def test_nobody_survives_a_killed_runtime(house: House, start: Start) -> None:
    for name in ("busy", "stopped", "idle"):
        make_function(house.instance, name, CODE, NOTES=str(house.notes))
    make_endpoint(house.instance, "pid", INFERENCE, replicas=2, NOTES=str(house.notes))
    house.let_go()
    house.ended(house.event("idle"))
    (house.notes / "go").unlink()
    accepted = [house.event("busy"), house.event("stopped")]
    [_, stopped] = [house.workers(id)[0] for id in accepted]
    os.kill(stopped, signal.SIGSTOP)
    found = processes_of(house.instance.data)
    del found[house.instance.process.pid]
    assert len(found) >= 5, f"three workers and two replicas: {found}"

    house.instance.kill()

    def all_gone() -> bool:
        """By name, and by pid: one that is ending has no name any more."""
        return not processes_of(house.instance.data) and all(state_of(pid) in ("", "Z") for pid in found)

    eventually(all_gone, what="the end of every worker and replica")

    house.let_go()
    again = House(start(ALIGHT_RETRY_DELAYS="0.05,0.05", ALIGHT_WORKER_PATHS=str(house.notes)), house.notes)
    for id in accepted:
        event = again.ended(id)
        assert (event["state"], event["attempts"]) == ("succeeded", 1), "a kill of the runtime is no attempt"
    assert again.ask() in processes_of(again.instance.data)


def test_a_killed_worker_is_an_attempt_and_its_event_runs_again(house: House) -> None:
    make_function(house.instance, "killed", CODE, NOTES=str(house.notes))
    id = house.event("killed")
    for number in (1, 2):
        os.kill(house.workers(id, number)[-1], signal.SIGKILL)
    house.workers(id, 3)
    house.let_go()
    event = house.ended(id)
    assert (event["state"], event["attempts"]) == ("succeeded", 3)
    assert event["outcomes"] == ["crash", "crash", "ok"]
    assert len(set(house.workers(id))) == 3, "each time another process"


def test_who_waits_for_a_killed_worker_is_told(house: House, threads: Callable[[Callable[[], Any]], list[Any]]) -> None:
    make_function(house.instance, "told", CODE, NOTES=str(house.notes))
    functions = house.instance.client("lambda", read_timeout=40)
    answers = threads(lambda: functions.invoke(FunctionName="told"))
    [note] = eventually(lambda: list(house.notes.iterdir()), what="the handler")
    os.kill(house.workers(note.name)[0], signal.SIGKILL)
    [answer] = eventually(lambda: answers, what="the answer")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")


def test_a_stopped_worker_goes_on_where_it_was(house: House) -> None:
    make_function(house.instance, "paused", CODE, NOTES=str(house.notes))
    id = house.event("paused")
    [pid] = house.workers(id)
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state_of(pid) == "T", what="the stop")
    house.let_go()
    other = house.event("paused")
    assert house.ended(other)["result"] != pid, "the others do not wait for it"
    assert [event["id"] for event in events(house.instance, "running")] == [id]
    os.kill(pid, signal.SIGCONT)
    event = house.ended(id)
    assert (event["state"], event["attempts"], event["result"]) == ("succeeded", 1, pid)


def test_a_worker_that_stays_stopped_runs_out_of_time(house: House) -> None:
    make_function(house.instance, "frozen", CODE, timeout=3, NOTES=str(house.notes))
    id = house.event("frozen")
    [pid] = house.workers(id)
    os.kill(pid, signal.SIGSTOP)
    house.workers(id, 2)
    assert state_of(pid) in ("", "Z"), "killed before the next attempt"
    house.let_go()
    event = house.ended(id)
    assert event["state"] == "succeeded"
    assert event["outcomes"][0] == "timeout"
    assert event["outcomes"][-1] == "ok"
    assert event["attempts"] == len(event["outcomes"])


def test_a_killed_replica_is_replaced_and_nobody_notices(
    house: House, threads: Callable[[Callable[[], Any]], list[Any]]
) -> None:
    make_endpoint(house.instance, "pid", INFERENCE, replicas=2, NOTES=str(house.notes))
    enough = threading.Event()

    def keep_asking() -> set[int]:
        seen = set()
        while not enough.is_set():
            seen.add(house.ask())
        return seen

    askers = [threads(keep_asking) for _ in range(3)]
    held = threads(lambda: house.ask(b"wait"))
    [victim] = house.workers("asked")
    os.kill(victim, signal.SIGKILL)
    other = house.workers("asked", 2)[1]
    assert other != victim, "what it was asked, another one is asked"

    def replaced() -> bool:
        [endpoint] = open_door(house.instance.data).get("models")["endpoints"]
        return bool(endpoint["variants"][0]["replicas"] == 2 and endpoint["status"] == "InService")

    eventually(replaced, what="the second replica")
    house.let_go()
    assert eventually(lambda: held, what="the answer") == [other]
    eventually(lambda: len({house.ask() for _ in range(8)} - {victim}) == 2, what="an answer of each replica")
    enough.set()
    eventually(lambda: all(askers), what="the end of the askers")
    for [seen] in askers:
        assert isinstance(seen, set), seen


def test_a_stopped_replica_goes_on_where_it_was(
    house: House, threads: Callable[[Callable[[], Any]], list[Any]]
) -> None:
    make_endpoint(house.instance, "pid", INFERENCE, replicas=1, NOTES=str(house.notes))
    held = threads(lambda: house.ask(b"wait"))
    [pid] = house.workers("asked")
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state_of(pid) == "T", what="the stop")
    house.let_go()
    os.kill(pid, signal.SIGCONT)
    assert eventually(lambda: held, what="the answer") == [pid]

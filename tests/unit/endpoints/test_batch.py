"""What is joined, what is split, and who gets which error. No process, no model."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.endpoints import batch, replica
from alight.endpoints.contract import Outcome, Refusal, Reply, Request
from alight.endpoints.inbox import Inbox


def request(values: Any) -> Request:
    return Request(json.dumps(values).encode(), None, None)


class Doubling:
    """Doubles rows; refuses a body that is no array, and fails on any run that holds 13."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def read(self, asked: Request) -> Any:
        given = json.loads(asked.body)
        if given == "nothing":
            return Reply(b"", status=204)
        if not isinstance(given, list):
            raise Refusal(400, "no array")
        return np.array(given)

    def run(self, values: Any) -> Any:
        self.runs.append(len(values))
        if (values == 13).any():
            raise Refusal(422, "thirteen")
        return values * 2

    def write(self, asked: Request, values: Any) -> Reply:
        return Reply(json.dumps(values.tolist()).encode())

    def answer_many(self, requests: Sequence[Request]) -> list[Outcome]:
        return batch.answer(requests, self.read, self.run, self.write)


def bodies(outcomes: Sequence[Outcome]) -> list[Any]:
    return [json.loads(one.body) if isinstance(one, Reply) and one.body else one for one in outcomes]


def test_rows_of_several_requests_are_run_once_and_given_back_to_each() -> None:
    model = Doubling()
    outcomes = model.answer_many([request([[1], [2]]), request([[3]]), request([[4], [5], [6]])])
    assert bodies(outcomes) == [[[2], [4]], [[6]], [[8], [10], [12]]]
    assert model.runs == [6]


def test_one_that_cannot_be_read_fails_alone() -> None:
    model = Doubling()
    outcomes = model.answer_many([request([[1]]), request("x"), request("nothing"), request([[2]])])
    assert isinstance(outcomes[1], Refusal)
    assert isinstance(outcomes[2], Reply)
    assert outcomes[2].status == 204
    assert bodies([outcomes[0], outcomes[3]]) == [[[2]], [[4]]]
    assert model.runs == [2]


def test_one_that_the_model_fails_on_fails_alone() -> None:
    model = Doubling()
    outcomes = model.answer_many([request([[1]]), request([[13]]), request([[2]])])
    assert isinstance(outcomes[1], Refusal)
    assert outcomes[1].status == 422
    assert bodies([outcomes[0], outcomes[2]]) == [[[2]], [[4]]]
    assert model.runs == [3, 1, 1, 1]


def test_rows_of_other_widths_and_types_are_not_joined() -> None:
    model = Doubling()
    outcomes = model.answer_many([request([[1]]), request([[1, 2]]), request([[0.5]]), request([[3]])])
    assert bodies(outcomes) == [[[2]], [[2, 4]], [[1.0]], [[6]]]
    assert sorted(model.runs) == [1, 1, 2]


def test_an_answer_that_cannot_be_split_is_asked_for_one_by_one() -> None:
    outcomes = batch.answer(
        [request([[1], [2]]), request([[3]])],
        lambda asked: np.array(json.loads(asked.body)),
        lambda values: values.sum(axis=0),
        lambda asked, found: Reply(json.dumps(found.tolist()).encode()),
    )
    assert bodies(outcomes) == [[3], [3]]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=5), min_size=1, max_size=8))
def test_together_is_as_one_by_one(given: list[list[int]]) -> None:
    requests = [request([[value] for value in rows]) for rows in given]
    model = Doubling()
    assert model.answer_many(requests) == [model.answer_many([one])[0] for one in requests]
    assert model.runs[0] == sum(map(len, given))


@pytest.mark.parametrize(
    ("waiting", "most", "most_bytes", "taken"),
    [
        ([1, 1, 1], 10, 100, 4),
        ([1, 1, 1], 2, 100, 2),
        ([60, 60, 60], 10, 100, 3),
        ([200, 1], 10, 100, 2),
        ([], 10, 100, 1),
        ([1], 1, 100, 1),
    ],
)
def test_what_waits_is_taken_up_to_a_number_and_a_size(
    waiting: list[int], most: int, most_bytes: int, taken: int
) -> None:
    line = iter(waiting)
    assert len(batch.gather(1, lambda: next(line, None), lambda size: size, most, most_bytes)) == taken


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[Inbox, socket.socket]]:
    """A replica's inbox, and the supervisor's end of a connection to it."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as supervisor:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        supervisor.connect(str(tmp_path / "s"))
        with closing(Inbox(listener, b"HTTP/1.1 200 OK\r\n\r\n")) as inbox:
            yield inbox, supervisor


def sent(*bodies: bytes) -> bytes:
    """As a supervisor writes them, one behind the other."""
    head = "POST /invocations HTTP/1.1\r\nAccept: text/csv\r\ncontent-Length: {}\r\n\r\n"
    return b"".join(head.format(len(body)).encode() + body for body in bodies)


def test_a_replica_takes_what_waits_in_one_turn_and_answers_in_order(asked: tuple[Inbox, socket.socket]) -> None:
    inbox, supervisor = asked
    supervisor.sendall(sent(b"[[1]]", b'"x"', b"[[2]]", b"[[3]]"))
    model = Doubling()
    replica.turn(inbox, 3, model.answer_many)
    assert model.runs == [2]
    replica.turn(inbox, 3, model.answer_many)
    assert model.runs == [2, 1]
    answered = supervisor.recv(10_000).decode()
    assert [part.split("\r\n")[0] for part in answered.split("HTTP/1.1 ")[1:]] == [
        "200 OK",
        "400 Bad Request",
        "200 OK",
        "200 OK",
    ]
    assert [part.rsplit("\r\n", 1)[1] for part in answered.split("HTTP/1.1 ")[1:]] == [
        "[[2]]",
        '{"error": "no array"}',
        "[[4]]",
        "[[6]]",
    ]


def test_a_model_that_fails_as_a_whole_answers_everybody(asked: tuple[Inbox, socket.socket]) -> None:
    def broken(requests: Sequence[Request]) -> list[Outcome]:
        raise OSError("out of paper")

    inbox, supervisor = asked
    supervisor.sendall(sent(b"[[1]]", b"[[2]]"))
    replica.turn(inbox, 3, broken)
    assert supervisor.recv(10_000).decode().count("500 Internal Server Error") == 2

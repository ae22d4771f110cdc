"""A review to a model of many trees: as a signed row of CSV to InvokeEndpoint, as JSON to mosec."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import xgboost

from bench import ours, reviews, wrk
from bench.case import Case, Contender, Counted, Size, Work
from bench.servers import free_port, heard, server
from bench.venvs import MOSEC

HERE = Path(__file__).resolve().parent
LIMIT, PEERS = HERE.parent / "limits" / "rows.py", HERE.parent / "peers"
MANY, ONE = "a row for XGBoost, 16 clients", "a row for XGBoost, 1 client"
NEAR = 1e-4


def archive(model: Path) -> Path:
    packed = model.with_name("model.tar.gz")
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(model, "xgboost-model")
    return packed


def asking(instance: ours.Instance, lines: list[bytes]) -> wrk.Requests:
    """Each row, signed, to the endpoint of `ours.ENDPOINT`."""
    heads = [
        instance.signed(
            "POST", ours.INVOCATIONS, "sagemaker", line,
            **{"Content-Type": "text/csv", "X-Amz-Content-SHA256": sha256(line).hexdigest()},
        )
        for line in lines
    ]  # fmt: skip
    return wrk.Requests(heads, lines)


def loads(url: str, requests: wrk.Requests, size: Size) -> dict[str, Callable[[int], Counted]]:
    wrk.warm(url, requests, size)
    return wrk.many_and_one(url, requests, size, MANY, ONE)


def near(expected: float, body: bytes) -> bool:
    return bool(abs(json.loads(body)["p"] - expected) < NEAR)


def case(size: Size, folder: Path) -> Case:
    texts, booster = reviews.made(size.reviews), reviews.train(size.trees)
    model = folder / "text" / "xgboost-model"
    model.parent.mkdir()
    model.write_bytes(booster.save_raw("ubj"))
    lines, packed = reviews.lines(texts), archive(model)
    right = booster.predict(xgboost.DMatrix(reviews.dense(texts))).tolist()

    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        (place / "rows").write_bytes(b"\n".join(lines))
        command: list[str | Path] = [sys.executable, LIMIT, model.parent, place / "rows", str(min(size.seconds, 3))]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        yield Work({MANY: lambda number: Counted(**found["all"]), ONE: lambda number: Counted(**found["one"])})

    @contextmanager
    def alight(place: Path) -> Iterator[Work]:
        with ours.running(place, ours.app(place / "app", ours.ENDPOINT.replace("SERVED_AS", "xgboost"), packed)) as one:
            requests = asking(one, lines)
            wrk.answers(one.url, requests, [str(value).encode() for value in right[:20]])
            yield Work(loads(one.url, requests, size), (one.pid,))

    @contextmanager
    def mosec(place: Path) -> Iterator[Work]:
        port, env = free_port(), {"MODEL": str(place / "model.onnx")}
        subprocess.run([MOSEC.python, PEERS / "mosec_text.py", "--convert", model], check=True, env=env)
        bodies = [json.dumps({"text": text}).encode() for text in texts]
        url = f"http://127.0.0.1:{port}"
        requests = wrk.post(f"{url}/inference", bodies, "application/json")
        command: list[str | Path] = [MOSEC.python, "mosec_text.py", "--address", "127.0.0.1", "--port", str(port)]
        with server(command, place / "log", heard(f"{url}/"), cwd=PEERS, env=env) as pid:
            wrk.answers(url, requests, [partial(near, value) for value in right[:20]])
            yield Work(loads(url, requests, size), (pid,))

    return Case(
        "text",
        Contender("bare parse + predict + write, a process a core", limit),
        Contender(f"Alight (CSV of {len(lines[0])} bytes, XGBoost)", alight, tools=("wrk",)),
        (Contender(f"mosec, {os.cpu_count() or 1} processes (JSON, ONNX Runtime)", mosec, MOSEC, ("wrk",)),),
    )

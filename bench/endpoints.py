"""InvokeEndpoint, measured: rows of a bag of words as text/csv for a model of 739 trees, beside the bare loop.

    .venv/bin/python bench/endpoints.py [--seconds 5] [--clients 1,16] [--columns 5000]

The model is trained first, with a fixed seed, on reviews that are made up. The bare loop is what a replica does without
anything around it: parse one row, predict it, write the number; in as many processes as there are replicas. The client
signs each request itself (SigV4) and keeps its connections, so that its own cost is small; it shares the machine all
the same. Every answer is compared with the model's own.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import hashlib
import hmac
import io
import json
import multiprocessing
import platform
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
import xgboost
from load import percentile

from alight.endpoints.contract import Request
from alight.endpoints.models.xgboost import XgboostModel

ALIGHT = Path(sys.executable).parent / "alight"
NAME, TREES, ROWS, REPLICAS = "reviews", 739, 200, 2


@dataclass(frozen=True)
class Figures:
    """Answers per second, and milliseconds for one."""

    per_second: float
    p50: float
    p99: float


def reviews(columns: int, count: int, seed: int) -> Any:
    """Counts of words: some forty of them in each review, the common ones most."""
    chance = np.random.default_rng(seed)
    rows = np.zeros((count, columns), np.float32)
    for row in rows:
        words = (columns * chance.random(40) ** 3).astype(int)
        np.add.at(row, words, 1)
    return rows


def train(columns: int) -> Any:
    rows = reviews(columns, 1500, 1)
    labels = (rows[:, : columns // 50].sum(axis=1) + np.random.default_rng(2).normal(size=len(rows)) > 8).astype(int)
    parameters = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.1, "seed": 1, "tree_method": "hist"}
    return xgboost.train({**parameters, "colsample_bytree": 0.2}, xgboost.DMatrix(rows, labels), TREES)


def bodies(rows: Any) -> list[bytes]:
    return [",".join(map(str, row)).encode() for row in rows.astype(int).tolist()]


def bare(folder: Path, texts: list[bytes], seconds: float, results: Any) -> None:
    """Parse, predict, write, one row after the other, for a while."""
    model = XgboostModel.open(folder, {})
    requests = [Request(text, "text/csv", None) for text in texts]
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        model.answer(requests[done % len(requests)])
        done += 1
    results.put(done / seconds)


def bare_rate(folder: Path, texts: list[bytes], seconds: float) -> float:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=bare, args=(folder, texts, seconds, results)) for _ in range(REPLICAS)]
    for worker in workers:
        worker.start()
    rates = [results.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join()
    return float(sum(rates))


class Signer:
    """SigV4 for one kind of request; the key of the day is derived once."""

    def __init__(self, keys: dict[str, str]) -> None:
        self._host = urlsplit(keys["AWS_ENDPOINT_URL"]).netloc
        self._id, self._region = keys["AWS_ACCESS_KEY_ID"], keys["AWS_DEFAULT_REGION"]
        self._day = f"{datetime.datetime.now(datetime.UTC):%Y%m%d}"
        key = f"AWS4{keys['AWS_SECRET_ACCESS_KEY']}".encode()
        for part in (self._day, self._region, "sagemaker", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key

    def request(self, path: str, body: bytes) -> bytes:
        moment = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
        digest = hashlib.sha256(body).hexdigest()
        signed = "content-type;host;x-amz-content-sha256;x-amz-date"
        headers = f"content-type:text/csv\nhost:{self._host}\nx-amz-content-sha256:{digest}\nx-amz-date:{moment}\n"
        canonical = f"POST\n{path}\n\n{headers}\n{signed}\n{digest}"
        scope = f"{self._day}/{self._region}/sagemaker/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n"
            f"X-Amz-Content-Sha256: {digest}\r\nX-Amz-Date: {moment}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._id}/{scope}, SignedHeaders={signed}, "
            f"Signature={signature}\r\n\r\n"
        ).encode() + body


async def client(signer: Signer, texts: list[bytes], expected: list[bytes], offset: int, end: float) -> list[float]:
    """Ask again and again over one connection; how long each took."""
    reader, writer = await asyncio.open_connection(*signer._host.rsplit(":", 1))
    took, number = [], offset
    while (started := time.perf_counter()) < end:
        number = (number + 1) % len(texts)
        writer.write(signer.request(f"/endpoints/{NAME}/invocations", texts[number]))
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        answer = await reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200") or answer != expected[number]:
            raise SystemExit(f"row {number} was answered {head!r} {answer!r} instead of {expected[number]!r}")
        took.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()
    return took


async def load(signer: Signer, texts: list[bytes], expected: list[bytes], clients: int, seconds: float) -> Figures:
    end = time.perf_counter() + seconds
    parts = await asyncio.gather(*(client(signer, texts, expected, 7 * number, end) for number in range(clients)))
    took = [value * 1000 for part in parts for value in part]
    return Figures(len(took) / seconds, statistics.median(took), percentile(took, 0.99))


@contextmanager
def serving(folder: Path, model: Path) -> Iterator[dict[str, str]]:
    """Alight on a fresh folder with the endpoint in service; the environment of its clients."""
    process = subprocess.Popen(
        [ALIGHT, "up", "--port", "0", "--data", folder / "data"],
        stdout=subprocess.PIPE,
        stderr=(folder / "alight.log").open("w"),
        text=True,
        env={"PATH": "/usr/bin:/bin", "ALIGHT_REPLICAS": str(REPLICAS)},
    )
    try:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("Alight ready at"))
        command = [ALIGHT, "env", "--json", "--data", folder / "data"]
        keys = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        deploy(keys, model)
        yield keys
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def deploy(keys: dict[str, str], model: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        file.add(model / "xgboost-model", "xgboost-model")
    session = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    s3, iam, sagemaker = (
        session.client(one, endpoint_url=keys["AWS_ENDPOINT_URL"]) for one in ("s3", "iam", "sagemaker")
    )
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=archive.getvalue())
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    container = {"Image": "xgboost", "ModelDataUrl": "s3://models/model.tar.gz"}
    sagemaker.create_model(ModelName=NAME, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "all", "ModelName": NAME, "InitialInstanceCount": 1, "InstanceType": "ml.t2.medium"}
    sagemaker.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
    while (made := sagemaker.describe_endpoint(EndpointName=NAME))["EndpointStatus"] == "Creating":
        time.sleep(0.05)
    if made["EndpointStatus"] != "InService":
        raise SystemExit(made["FailureReason"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--clients", default="1,16")
    parser.add_argument("--columns", type=int, default=5000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        booster = train(given.columns)
        (folder / "model").mkdir()
        (folder / "model" / "xgboost-model").write_bytes(booster.save_raw("ubj"))
        rows = reviews(given.columns, ROWS, 3)
        texts = bodies(rows)
        expected = [str(value).encode() for value in booster.predict(xgboost.DMatrix(rows)).tolist()]
        limit = bare_rate(folder / "model", texts, given.seconds)
        lines = [f"| bare loop, {REPLICAS} processes | {limit:.0f} | | 1.00 |"]
        with serving(folder, folder / "model") as keys:
            signer = Signer(keys)
            asyncio.run(load(signer, texts, expected, 4, 1))
            for clients in map(int, given.clients.split(",")):
                found = asyncio.run(load(signer, texts, expected, clients, given.seconds))
                share = found.per_second / limit
                lines.append(
                    f"| {clients} clients | {found.per_second:.0f} | {found.p50:.2f} / {found.p99:.2f} | {share:.2f} |"
                )
    print(f"Python {platform.python_version()}, xgboost {version('xgboost-cpu')}, numpy {version('numpy')}")
    print(f"{booster.num_boosted_rounds()} trees, {given.columns} columns, {len(texts[0]):,} bytes a row\n")
    print("| InvokeEndpoint, text/csv | rows/s | p50 / p99 ms | ratio to bare |\n|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

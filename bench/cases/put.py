"""PUT with an event each, on the disk before the answer; SeaweedFS does not flush and tells nobody."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import ours, wrk
from bench.case import SEED, Case, Contender, Counted, Size, Work
from bench.servers import free_port, heard, server
from bench.venvs import SEAWEEDFS

LIMIT = Path(__file__).resolve().parents[1] / "limits" / "disk.py"
SMALL, LARGE = "PUT of 1 KB, 64 clients", "PUT of 150 KB, 16 clients"
#: Bytes, connections, and keys of a run; a faster store would see some again.
LOADS = {SMALL: (1024, 64, 15_000), LARGE: (150 * 1024, 16, 4_000)}
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "benchbench", "AWS_DEFAULT_REGION": "us-east-1"}
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  # Takes its time: PUT is measured, not what comes after.
  Later:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Timeout: 900
      ReservedConcurrentExecutions: 1
      InlineCode: |
        import time
        def handler(event, context):
            time.sleep(600)
      Events:
        Put: {Type: S3, Properties: {Bucket: !Ref Things, Events: "s3:ObjectCreated:*"}}
  Things: {Type: AWS::S3::Bucket, Properties: {BucketName: things}}
"""


def puts(url: str, keys: Mapping[str, str], title: str, number: int, seconds: float) -> tuple[wrk.Requests, int]:
    """Signed for this round; fewer keys where there is less time for them."""
    bytes_, connections, most = LOADS[title]
    body = random.Random(SEED).randbytes(bytes_)
    paths = [f"/things/{number}/{bytes_}/{count:05d}" for count in range(max(64, int(min(1.0, seconds / 4) * most)))]
    return wrk.Requests([ours.signed(url, keys, "PUT", path, "s3", body) for path in paths], [body]), connections


def loads(url: str, keys: Mapping[str, str], size: Size) -> dict[str, Callable[[int], Counted]]:
    def load(title: str) -> Callable[[int], Counted]:
        def measure(number: int) -> Counted:
            requests, connections = puts(url, keys, title, number, size.seconds)
            wrk.answers(url, requests, [b""])
            return wrk.load(url, requests, min(connections, 4 * size.clients), size.seconds)

        return measure

    wrk.warm(url, puts(url, keys, SMALL, -1, 0.2)[0], size)
    return {title: load(title) for title in LOADS}


def case(size: Size, folder: Path) -> Case:
    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        command: list[str | Path] = [sys.executable, LIMIT, place, str(min(size.seconds, 2))]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        small, large = (
            Counted(found[name], 1000 / found[name], 1000 / found[name], 1) for name in ("appended", "filed")
        )
        yield Work({SMALL: lambda number: small, LARGE: lambda number: large})

    @contextmanager
    def alight(place: Path) -> Iterator[Work]:
        with ours.running(place, ours.app(place / "app", TEMPLATE)) as instance:
            yield Work(loads(instance.url, instance.env, size), (instance.pid,))

    @contextmanager
    def seaweedfs(place: Path) -> Iterator[Work]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        weed = shutil.which("weed") or SEAWEEDFS.bin / "weed"
        command: list[str | Path] = [
            weed,
            "mini",
            f"-dir={place}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.port={port}",
        ]
        command += ["-master.telemetry=false", "-s3.port.iceberg=0", "-admin.ui=false"]
        with server(command, place / "log", heard(url), env=KEYS | {"S3_BUCKET": "things"}) as pid:
            yield Work(loads(url, KEYS, size), (pid,))

    return Case(
        "put",
        Contender("bare disk: 1 KB appended and flushed; files of 150 KB by 16 threads", limit),
        Contender("Alight (durable, an event each)", alight, tools=("wrk",)),
        (Contender("SeaweedFS `weed mini` (does not flush)", seaweedfs, SEAWEEDFS, ("wrk",)),),
    )

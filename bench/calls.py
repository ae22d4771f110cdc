"""What a worker's boto3 costs: processor time of the three calls that a picture takes, plain, the short way over HTTP,
and by a hatch, where a call that has gone once takes the trodden path.

Three processes call by turns, one each way, a server with answers from a can, so that nothing but the client is
measured: `python bench/calls.py [--rounds 60]`. As in a worker there is no awscrt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from alight.functions.hatch import Asked, Hatch
from alight.functions.hatch_end import End
from alight.functions.paths import Path
from alight.functions.shortcut import Shortcut
from alight.functions.trodden import Tread

PICTURE = bytes(range(256)) * 450
SCORES = json.dumps([0.0012345678] * 200).encode()
PUBLISHED = (
    b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult>"
    b"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
)
HEAD = "HTTP/1.1 200 OK\r\nDate: Sun, 29 Nov 2026 09:00:00 GMT\r\nLast-Modified: Sun, 29 Nov 2026 09:00:00 GMT\r\n"
BATCH = 10
NAMES = ("GetObject", "InvokeEndpoint", "Publish")
WAYS = ("plain", "quick", "hatch")


KEYS = {"ACCESS_KEY_ID": "A", "SECRET_ACCESS_KEY": "s", "SESSION_TOKEN": "t" * 300}


@dataclass(frozen=True)
class Reply:
    """What a hatch answers."""

    body: bytes
    length: int
    headers: Sequence[tuple[bytes, bytes]]
    status: int = 200


def body_of(target: str) -> bytes:
    return SCORES if "invocations" in target else PUBLISHED if target == "/" else PICTURE


async def can(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
        body = body_of(head.split(b" ")[1].decode())
        writer.write(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def by_hatch(asked: Asked) -> Reply:
    body = body_of(asked.target)
    lines = [line.split(": ") for line in HEAD.splitlines()[1:]] + [["content-length", str(len(body))]]
    return Reply(body, len(body), [(name.lower().encode(), value.encode()) for name, value in lines])


def serve(told: Any, ours: socket.socket) -> None:
    async def run() -> None:
        ours.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: Hatch(by_hatch), sock=ours)
        server = await asyncio.start_server(can, "127.0.0.1", 0, limit=2**20)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def work(port: int, way: str, told: Any, hatch: socket.socket) -> None:
    """A worker: asked for a call by name, it makes ten and tells what one took."""
    sys.modules["awscrt"] = None  # type: ignore[assignment]
    os.environ["AWS_REGION"] = "us-east-1"
    url = f"http://127.0.0.1:{port}"
    if way == "hatch":
        end = End(hatch.detach(), url + "/", {"AWS_" + name: value for name, value in KEYS.items()})
        sys.meta_path.insert(0, Shortcut(url, end, Tread(end, Path)))  # type: ignore[arg-type]
    elif way == "quick":
        sys.meta_path.insert(0, Shortcut(url))  # type: ignore[arg-type]
    known = calls(url)
    while True:
        told.send(spent(known[told.recv()]))


def calls(url: str) -> dict[str, Callable[[], Any]]:
    import boto3  # after the short way has been laid, and without awscrt

    more = {"aws_" + name.lower(): value for name, value in KEYS.items()}
    s3, runtime, sns = (
        boto3.client(name, endpoint_url=url, region_name="us-east-1", **more)
        for name in ("s3", "sagemaker-runtime", "sns")
    )
    topic = "arn:aws:sns:us-east-1:000000000000:birds"
    return {
        "GetObject": lambda: s3.get_object(Bucket="birds", Key="birds/card.jpg")["Body"].read(),
        "InvokeEndpoint": lambda: runtime.invoke_endpoint(EndpointName="birds", Body=PICTURE)["Body"].read(),
        "Publish": lambda: sns.publish(TopicArn=topic, Message="Bird [card.jpg] is a: Northern Cardinal(0.98)"),
    }


def spent(call: Callable[[], Any]) -> float:
    began = time.process_time()
    for _ in range(BATCH):
        call()
    return (time.process_time() - began) * 1000 / BATCH


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args(words).rounds
    spawn = multiprocessing.get_context("spawn")
    children, pipes = [], {}
    ours, theirs = socket.socketpair()
    port: Any = None
    for way in ("server", *WAYS):
        pipes[way], told = spawn.Pipe()
        arguments = (told, ours) if way == "server" else (port, way, told, theirs)
        children.append(spawn.Process(target=serve if way == "server" else work, args=arguments, daemon=True))
        children[-1].start()
        port = port or pipes[way].recv()
    print(f"| call | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for name in NAMES:
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, found in times.items():
                pipes[way].send(name)
                found.append(pipes[way].recv())
        lowest = [sum(sorted(found)[: rounds // 5]) / (rounds // 5) for found in times.values()]
        print(f"| {name} | {' | '.join(f'{one:.3f}' for one in lowest)} |")
    for child in children:
        child.kill()


if __name__ == "__main__":
    main(sys.argv[1:])

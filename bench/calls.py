"""What a worker's boto3 costs: processor time of the three calls that a picture takes, plain and the short way.

Two processes call by turns, one each way, a server with answers from a can, so that nothing but the client is
measured: `python bench/calls.py [--rounds 60]`. As in a worker there is no awscrt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from alight.functions.shortcut import Shortcut

PICTURE = bytes(range(256)) * 450
SCORES = json.dumps([0.0012345678] * 200).encode()
PUBLISHED = b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"
HEAD = "HTTP/1.1 200 OK\r\nDate: Sun, 29 Nov 2026 09:00:00 GMT\r\nLast-Modified: Sun, 29 Nov 2026 09:00:00 GMT\r\n"
BATCH = 10
NAMES = ("GetObject", "InvokeEndpoint", "Publish")


async def can(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
        target = head.split(b" ")[1]
        body = SCORES if b"invocations" in target else PUBLISHED if target == b"/" else PICTURE
        writer.write(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def serve(told: Any) -> None:
    async def run() -> None:
        server = await asyncio.start_server(can, "127.0.0.1", 0, limit=2**20)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def work(port: int, quick: bool, told: Any) -> None:
    """A worker: asked for a call by name, it makes ten and tells what one took."""
    sys.modules["awscrt"] = None  # type: ignore[assignment]
    if quick:
        sys.meta_path.insert(0, Shortcut(f"http://127.0.0.1:{port}"))  # type: ignore[arg-type]
    known = calls(f"http://127.0.0.1:{port}")
    while True:
        told.send(spent(known[told.recv()]))


def calls(url: str) -> dict[str, Callable[[], Any]]:
    import boto3  # after the short way has been laid, and without awscrt

    more = {"aws_access_key_id": "A", "aws_secret_access_key": "s", "aws_session_token": "t" * 300}
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
    port: Any = None
    for way in ("server", "plain", "quick"):
        pipes[way], theirs = spawn.Pipe()
        arguments = (theirs,) if way == "server" else (port, way == "quick", theirs)
        children.append(spawn.Process(target=serve if way == "server" else work, args=arguments, daemon=True))
        children[-1].start()
        port = port or pipes[way].recv()
    print("| call | plain ms | quick ms | ratio |\n|---|---|---|---|")
    for name in NAMES:
        times: dict[str, list[float]] = {"plain": [], "quick": []}
        for _ in range(rounds):
            for way, found in times.items():
                pipes[way].send(name)
                found.append(pipes[way].recv())
        plain, quick = (sum(sorted(found)[: rounds // 5]) / (rounds // 5) for found in times.values())
        print(f"| {name} | {plain:.2f} | {quick:.2f} | {quick / plain:.2f} |")
    for child in children:
        child.kill()


if __name__ == "__main__":
    main(sys.argv[1:])

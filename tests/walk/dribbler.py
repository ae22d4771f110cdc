"""A program that dribbles: PORT PATH COUNT. Half of its connections send a head letter by letter, the others a body;
whoever is cut off comes again. It says `ready` once all have begun, and what became of them when its stdin ends."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
from collections import Counter
from contextlib import suppress

PAUSE = 1.0
#: Seconds after which one that was cut off comes again, at most.
RETURN = 1.5


async def dribble(port: int, path: str, number: int, begun: asyncio.Semaphore, ends: Counter[str]) -> None:
    head = f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
    first = head if number % 2 else head + "content-length: 1000000\r\n\r\n"
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first.encode())
        begun.release()
        try:
            while not reader.at_eof():
                writer.write(b"x")
                with suppress(TimeoutError):
                    if said := await asyncio.wait_for(reader.read(4096), PAUSE):
                        ends[said[9:12].decode()] += 1
                        break
        except OSError:
            ends["reset"] += 1
        finally:
            writer.close()
        await asyncio.sleep(random.uniform(0, RETURN))


async def main(port: int, path: str, count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    begun, ends = asyncio.Semaphore(0), Counter[str]()
    tasks = [asyncio.create_task(dribble(port, path, number, begun, ends)) for number in range(count)]
    for _ in range(count):
        await begun.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    failed = [task for task in tasks if task.done()]
    print(json.dumps({**ends, "failed": len(failed)}), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

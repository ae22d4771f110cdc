"""A socket to the first of several addresses that takes it: each has a moment before the next one is tried."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence

from alight.notifications.channels.addresses import Address

#: Seconds that an address is tried alone: a network that swallows what is sent to it keeps nobody from the others.
ALONE = 0.25


async def first_connected(addresses: Sequence[Address], port: int) -> socket.socket:
    """Raises the `OSError` of the address that failed first, where none takes it."""
    if len(addresses) == 1:
        return await _connected(addresses[0], port)
    waiting, trying = deque(addresses), set[asyncio.Task[socket.socket]]()
    failures: list[BaseException] = []
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(_connected(waiting.popleft(), port)))
            alone = ALONE if waiting else None
            ended, _ = await asyncio.wait(trying, timeout=alone, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                trying.discard(task)
                failure = task.exception()
                if failure is None:
                    trying |= ended - {task}
                    return task.result()
                failures.append(failure)
        raise failures[0]
    finally:
        await _given_up(trying)


async def _given_up(tasks: set[asyncio.Task[socket.socket]]) -> None:
    """What has come too late is closed."""
    for task in tasks:
        task.cancel()
    for found in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(found, socket.socket):
            found.close()


async def _connected(address: Address, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        # A number, not a name: nobody is asked what it means.
        await asyncio.get_running_loop().sock_connect(made, (str(address), port))
    except BaseException:
        made.close()
        raise
    return made

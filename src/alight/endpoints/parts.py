"""An answer that is read while it arrives: its head first, then its bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from alight.endpoints.contract import Reply


class Parts:
    """Filled by the connection that reads the answer, emptied by whoever passes it on."""

    def __init__(self) -> None:
        self.head: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()

    @property
    def begun(self) -> bool:
        return self.head.done()

    def begin(self, head: Reply) -> None:
        """`head` has no body."""
        if not self.head.done():
            self.head.set_result(head)

    def add(self, part: bytes) -> None:
        self._arrived.put_nowait(part)

    async def read(self, asking: asyncio.Task[Reply]) -> AsyncGenerator[bytes]:
        """The bytes as they arrive, until `asking` has its end. Raises what `asking` raises."""
        while True:
            arriving = asyncio.create_task(self._arrived.get())
            try:
                await asyncio.wait({arriving, asking}, return_when=asyncio.FIRST_COMPLETED)
                if arriving.done():
                    yield arriving.result()
                    continue
            finally:
                arriving.cancel()
            while not self._arrived.empty():
                yield self._arrived.get_nowait()
            asking.result()
            return

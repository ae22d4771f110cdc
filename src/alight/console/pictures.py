"""Objects of users in the browser: small pictures of theirs, and the bytes themselves where they can do no harm.

A thumbnail is made by a process of its own (`shrinker`), so what is shown is no file of a user. The object itself is
sent under a sandbox: no script, no origin, and as a download unless it is a picture.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from mimetypes import guess_type

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alight.console.frames import ANSWER, REQUEST
from alight.console.render import segment
from alight.console.world import World
from alight.store.shapes import ObjectRow

#: Pixels of a thumbnail's longer side.
SIDES = {"small": 160, "large": 960}
#: Bytes of the largest object that a thumbnail is made of, and of all thumbnails that are remembered.
LARGEST = 32 << 20
REMEMBERED = 24 << 20
#: Thumbnails that are remembered, those of what is no picture included.
MOST = 5_000
#: Seconds that one picture may take.
PATIENCE = 10.0
#: What is shown where there is no picture any more, or never was one.
NOTHING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 54"><rect width="72" height="54" fill="#8884"/>'
    '<path d="M24 18h24v18H24zM24 18l24 18M48 18L24 36" fill="none" stroke="#888" stroke-width="2"/></svg>'
)
#: Types that a browser shows; everything else is saved.
SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
#: What an object is called whose owner did not say what it is; then its name says it.
UNSAID = frozenset({"", "binary/octet-stream", "application/octet-stream"})
SANDBOX = "sandbox; default-src 'none'"


class Pictures:
    """`/thumbnail` and `/object`, both with `bucket` and `key`."""

    def __init__(self, world: World) -> None:
        self._objects = world.objects
        self._made: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held = 0
        self._turn = asyncio.Lock()
        self._process: Process | None = None

    def routes(self) -> list[Route]:
        return [Route("/thumbnail", self.thumbnail), Route("/object", self.object)]

    async def thumbnail(self, request: Request) -> Response:
        row = self._find(request)
        if row is None:
            return _nothing()
        side = SIDES.get(request.query_params.get("side", ""), SIDES["small"])
        place = (row.version_id, side)
        async with self._turn:
            made = self._made[place] if place in self._made else await self._make(row, side)
            self._remember(place, made)
        if not made:
            return _nothing()
        return Response(made, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    async def object(self, request: Request) -> Response:
        row = self._row(request)
        said = guess_type(row.key)[0] if row.content_type in UNSAID else row.content_type
        shown = said in SHOWN and "download" not in request.query_params
        name = segment(row.key.rsplit("/", 1)[-1] or "object")
        headers = {
            "content-security-policy": SANDBOX,
            "content-length": str(row.size),
            "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{name}",
        }
        kind = said if shown else "application/octet-stream"
        return StreamingResponse(self._objects.open_body(row), media_type=kind, headers=headers)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    def _find(self, request: Request) -> ObjectRow | None:
        given = request.query_params
        return self._objects.get(given.get("bucket", ""), given.get("key", ""))

    def _row(self, request: Request) -> ObjectRow:
        row = self._find(request)
        if row is None:
            raise HTTPException(404, "There is no such object any more.")
        return row

    async def _make(self, row: ObjectRow, side: int) -> bytes:
        """A JPEG, or nothing where there is none to be had."""
        if row.size > LARGEST:
            return b""
        content = b"".join([chunk async for chunk in self._objects.open_body(row)])
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._shrink(content, side)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            # It hangs, or it has died of this picture; the next one gets a new process.
            await self.close()
            return b""
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _shrink(self, content: bytes, side: int) -> bytes:
        if self._process is None or self._process.returncode is not None:
            command = (sys.executable, "-I", "-m", "alight.console.shrinker")
            self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env={})
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(REQUEST.pack(side, len(content)) + content)
        await process.stdin.drain()
        (length,) = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
        return await process.stdout.readexactly(length)

    def _remember(self, place: tuple[str, int], made: bytes) -> None:
        self._held += len(made) - len(self._made.get(place, b""))
        self._made[place] = made
        self._made.move_to_end(place)
        while len(self._made) > MOST or self._held > REMEMBERED:
            self._held -= len(self._made.popitem(last=False)[1])


def _nothing() -> Response:
    return Response(NOTHING, media_type="image/svg+xml")

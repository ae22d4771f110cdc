"""A function's code in the browser: its files, one of them to change; and its log as it is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alight.console.blueprints import files_in, packed
from alight.console.forms import goes_to, read_form
from alight.console.render import Render, segment
from alight.console.world import World

#: Characters of the longest file that is shown, and files that are listed.
LONGEST = 200_000
MOST = 500
#: Seconds between two looks at a log that is followed.
LOOK = 0.5
LINES = 200


class Code:
    """`/functions/NAME/code` and `/functions/NAME/log`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/functions/{name}/code", self.page),
            Route("/functions/{name}/code", self.save, methods=["POST"]),
            Route("/functions/{name}/log", self.log),
        ]

    async def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        files = await asyncio.to_thread(files_in, self._world.code_of(name))
        shown = request.query_params.get("file") or next((one for one in files if one.endswith(".py")), "")
        if shown and shown not in files:
            raise HTTPException(404, f"There is no file {shown} in the function.")
        return self._render.page(
            request,
            "code.html",
            name=name,
            files=sorted(files)[:MOST],
            shown=shown,
            saved=request.query_params.get("saved", ""),
            text=_text(files[shown]) if shown else None,
        )

    async def save(self, request: Request) -> Response:
        """One file changes, all others stay; where asked, the new code is a version."""
        name, form = request.path_params["name"], await read_form(request)
        files = await asyncio.to_thread(files_in, self._world.code_of(name))
        if form["file"] not in files:
            raise HTTPException(404, f"There is no file {form['file']} in the function.")
        files[form["file"]] = form.raw("text").encode()
        content = await asyncio.to_thread(packed, files)
        given = {"FunctionName": name, "ZipFile": content, "Publish": bool(form["publish"])}
        saved = (await self._world.call("lambda", "UpdateFunctionCode", given))["Version"]
        query = f"file={segment(form['file'])}&saved={segment(saved)}"
        return goes_to(request, f"/functions/{segment(name)}/code?{query}")

    async def log(self, request: Request) -> Response:
        return StreamingResponse(self._follow(request.path_params["name"]), media_type="text/event-stream")

    async def _follow(self, name: str) -> AsyncIterator[str]:
        """The last lines, then each new one."""
        group, telemetry = f"/aws/lambda/{name}", self._world.telemetry
        await telemetry.flush()
        last = telemetry.last_log_id()
        rows = telemetry.logs_back(group, limit=LINES)[::-1]
        while True:
            for row in rows:
                line = {"when": row["ts"], "text": row["message"], "story": row["request_id"]}
                yield f"data: {json.dumps(line)}\n\n"
            if not rows:
                yield ": still open\n\n"
            await self._world.clock.sleep(LOOK)
            await telemetry.flush()
            rows = telemetry.logs_since(group, last, LINES)
            last = max([last, *(row["id"] for row in rows)])


def _text(content: bytes) -> str | None:
    """None for what is no text, or too much of it to change here."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= LONGEST else None

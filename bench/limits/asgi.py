"""The bare limit of an HTTP API: an application that says `ok`, on the server that is Alight's. Argument: a port."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Takes the body and says `ok`."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", loop="uvloop", http="httptools", lifespan="off")

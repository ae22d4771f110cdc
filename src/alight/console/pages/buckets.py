"""Buckets: browse by prefix, look, upload by dropping, delete, link, and run again what is chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from alight.console.forms import goes_to, read_form, shows_again
from alight.console.render import Render, segment
from alight.console.stories import IMAGES
from alight.console.world import World

PAGE = 100
#: Seconds for which a link that is copied is good.
LINK_SECONDS = 3600


class Upload:
    """A request's body as the store takes it: read once, as it comes. One that breaks off raises."""

    def __init__(self, request: Request) -> None:
        announced = request.headers.get("content-length", "")
        self.length = int(announced) if announced.isdecimal() else None
        self.trailers: dict[str, str] = {}
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.stream():
            if chunk:
                yield chunk


class Buckets:
    """`/buckets`, `/buckets/NAME` and `/buckets/NAME/look?key=`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        one = "/buckets/{name}"
        return [
            Route("/buckets", self.index),
            Route("/buckets", self.create, methods=["POST"]),
            Route(one, self.page),
            Route(f"{one}/upload", self.upload, methods=["PUT"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
            Route(f"{one}/again", self.again, methods=["POST"]),
            Route(f"{one}/remove", self.remove, methods=["POST"]),
            Route(f"{one}/look", self.look),
            Route(f"{one}/link", self.link),
        ]

    async def index(self, request: Request) -> Response:
        buckets = self._world.objects.list_buckets()
        return self._render.page(request, "buckets.html", buckets=buckets)

    async def create(self, request: Request) -> Response:
        form = await read_form(request)
        await self._world.call("s3", "CreateBucket", {"Bucket": form["name"]})
        return goes_to(request, f"/buckets/{segment(form['name'])}")

    async def page(self, request: Request) -> Response:
        name, given = self._name(request), request.query_params
        prefix = given.get("prefix", "")
        found = self._world.objects.list_page(name, prefix, "/", given.get("after", ""), PAGE)
        steps = prefix.split("/")[:-1]
        return self._render.page(
            request,
            "bucket.html",
            name=name,
            prefix=prefix,
            folders=found.common_prefixes,
            rows=found.rows,
            next=found.next,
            trail=[(step, "/".join(steps[: place + 1]) + "/") for place, step in enumerate(steps)],
            images=IMAGES,
        )

    async def upload(self, request: Request) -> Response:
        """One file, as it comes; its key and type stand in the query and the header."""
        name, key = self._name(request), request.query_params.get("key", "")
        if not key:
            raise HTTPException(400, "The upload names no key.")
        given = {
            "Bucket": name,
            "Key": key,
            "Body": Upload(request),
            "ContentType": request.headers.get("content-type") or "binary/octet-stream",
        }
        await self._world.call("s3", "PutObject", given)
        return PlainTextResponse(key, 201)

    async def delete(self, request: Request) -> Response:
        """The chosen objects."""
        name, form = self._name(request), await read_form(request)
        keys = [{"Key": key} for key in form.fields.get("key", [])]
        if not keys:
            raise HTTPException(400, "Nothing is chosen.")
        answer = await self._world.call("s3", "DeleteObjects", {"Bucket": name, "Delete": {"Objects": keys}})
        for error in answer.get("Errors") or ():
            raise HTTPException(409, f"{error['Key']}: {error['Message']}")
        if form["leave"]:
            # From the page of the object itself, which is no more.
            folder = keys[0]["Key"].rpartition("/")[0]
            query = f"?prefix={segment(f'{folder}/')}" if folder else ""
            return goes_to(request, f"/buckets/{segment(name)}{query}")
        return shows_again(request)

    async def again(self, request: Request) -> Response:
        """Tell functions of the chosen objects once more."""
        name, form = self._name(request), await read_form(request)
        keys = form.fields.get("key", [])
        if not keys:
            raise HTTPException(400, "Nothing is chosen.")
        told = await self._world.tell_again(name, keys)
        if not told:
            raise HTTPException(409, "Nobody is told of these objects: add a trigger to a function first.")
        return goes_to(request, "/")

    async def remove(self, request: Request) -> Response:
        await self._world.call("s3", "DeleteBucket", {"Bucket": self._name(request)})
        return goes_to(request, "/buckets")

    async def look(self, request: Request) -> Response:
        name, key = self._name(request), request.query_params.get("key", "")
        head = await self._world.call("s3", "HeadObject", {"Bucket": name, "Key": key})
        facts: dict[str, Any] = {
            "Content type": head.get("ContentType"),
            "ETag": head["ETag"],
            "Version": head.get("VersionId"),
            **{f"x-amz-meta-{word}": value for word, value in (head.get("Metadata") or {}).items()},
        }
        return self._render.page(
            request,
            "object.html",
            name=name,
            key=key,
            size=head["ContentLength"],
            when=head["LastModified"].timestamp(),
            facts={word: value for word, value in facts.items() if value},
            is_picture=key.lower().endswith(IMAGES),
        )

    async def link(self, request: Request) -> Response:
        """A link that anybody may use for an hour, signed as the account's owner."""
        name, key = self._name(request), request.query_params.get("key", "")
        return JSONResponse({"url": self._world.presigned(name, key, LINK_SECONDS)})

    def _name(self, request: Request) -> str:
        name = request.path_params["name"]
        if self._world.objects.get_bucket(name) is None:
            raise HTTPException(404, f"There is no bucket {name}.")
        return str(name)

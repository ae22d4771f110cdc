"""Topics: who subscribes, and a message to try them with."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alight.calls import Members
from alight.console.forms import goes_to, read_form, shows_again
from alight.console.render import Render, segment
from alight.console.world import World
from alight.names import ACCOUNT, REGION

#: Messages of a page.
PAGE = 50
PROTOCOLS = ("sms", "email", "email-json", "http", "https", "lambda", "sqs")


class Topics:
    """`/topics` and `/topics/NAME`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        one = "/topics/{name}"
        return [
            Route("/topics", self.index),
            Route("/topics", self.create, methods=["POST"]),
            Route(one, self.page),
            Route(f"{one}/subscriptions", self.subscribe, methods=["POST"]),
            Route(f"{one}/subscriptions/remove", self.unsubscribe, methods=["POST"]),
            Route(f"{one}/publish", self.publish, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        topics = (await self._world.call("sns", "ListTopics", {})).get("Topics") or []
        rows = [(one["TopicArn"].rpartition(":")[2], await self._attributes(one["TopicArn"])) for one in topics]
        return self._render.page(request, "topics.html", rows=rows)

    async def _attributes(self, arn: str) -> Members:
        return dict((await self._world.call("sns", "GetTopicAttributes", {"TopicArn": arn}))["Attributes"])

    async def create(self, request: Request) -> Response:
        form = await read_form(request)
        attributes = {"DisplayName": form["display"]} if form["display"] else {}
        await self._world.call("sns", "CreateTopic", {"Name": form["name"], "Attributes": attributes})
        return goes_to(request, f"/topics/{segment(form['name'])}")

    async def page(self, request: Request) -> Response:
        arn = _arn(request)
        attributes = await self._attributes(arn)
        found = await self._world.call("sns", "ListSubscriptionsByTopic", {"TopicArn": arn})
        messages = self._world.outbox.messages_of_topic(arn, _before(request), PAGE + 1)
        last = messages[PAGE - 1] if len(messages) > PAGE else None
        return self._render.page(
            request,
            "topic.html",
            name=request.path_params["name"],
            arn=arn,
            display=attributes.get("DisplayName", ""),
            subscriptions=found.get("Subscriptions") or [],
            protocols=PROTOCOLS,
            messages=messages[:PAGE],
            next=f"{last['published']!r}_{last['id']}" if last else None,
            is_first="before" not in request.query_params,
        )

    async def subscribe(self, request: Request) -> Response:
        form = await read_form(request)
        given = {"TopicArn": _arn(request), "Protocol": form["protocol"], "Endpoint": form["endpoint"]}
        await self._world.call("sns", "Subscribe", given)
        return shows_again(request)

    async def unsubscribe(self, request: Request) -> Response:
        form = await read_form(request)
        await self._world.call("sns", "Unsubscribe", {"SubscriptionArn": form["arn"]})
        return shows_again(request)

    async def publish(self, request: Request) -> Response:
        form = await read_form(request)
        given = {"TopicArn": _arn(request), "Message": form.raw("message")}
        if form["subject"]:
            given["Subject"] = form["subject"]
        await self._world.call("sns", "Publish", given)
        return goes_to(request, "/outbox")

    async def delete(self, request: Request) -> Response:
        await self._world.call("sns", "DeleteTopic", {"TopicArn": _arn(request)})
        return goes_to(request, "/topics")


def _before(request: Request) -> tuple[float, str] | None:
    """Where a page begins, as the one before it has written it; what cannot be read begins at the newest."""
    published, _, id = request.query_params.get("before", "").partition("_")
    try:
        return float(published), id
    except ValueError:
        return None


def _arn(request: Request) -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{request.path_params['name']}"

"""Routes, integrations and authorizers of an HTTP API: three collections, handled alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import ConflictException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigatewayv2 import rules
from alight.services.apigatewayv2.deploying import follow
from alight.services.apigatewayv2.pages import page

Body = dict[str, Any]
#: (what was asked, the API's record, the thing's id) → the thing as it is kept
Made = Callable[[Members, Body, str], Body]


class Parts:
    """The handlers of one collection: `word` is what its things are called, `made` checks and makes one."""

    def __init__(self, apis: Ledger, word: str, made: Made) -> None:
        self._apis = apis
        self._word = word
        self._key, self._id = f"{word}s", f"{word}Id"
        self._made = made

    async def create(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            made = self._made(given, edit.body, names.new_short_id(7))
            edit.body[self._key][made[self._id]] = made
            follow(edit)
            return made

        return await self._apis.change(given["ApiId"], change)

    async def get(self, call: Call, given: Members) -> Members:
        return self._of(self._apis.body(given["ApiId"]), given)

    async def list(self, call: Call, given: Members) -> Members:
        return page(list(self._apis.body(given["ApiId"])[self._key].values()), given)

    async def update(self, call: Call, given: Members) -> Members:
        """Members that are given replace the old ones; an empty text takes one away."""

        def change(edit: Edit) -> Members:
            before = self._of(edit.body, given)
            asked = before | {name: value for name, value in given.items() if name not in ("ApiId", self._id)}
            made = self._made(asked, edit.body, before[self._id])
            managed = {"ApiGatewayManaged": True} if before.get("ApiGatewayManaged") else {}
            edit.body[self._key][before[self._id]] = made | managed
            follow(edit)
            return made | managed

        return await self._apis.change(given["ApiId"], change)

    async def delete(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            gone = self._of(edit.body, given)
            self._check_unused(edit.body, gone[self._id])
            del edit.body[self._key][gone[self._id]]
            follow(edit)

        await self._apis.change(given["ApiId"], change)
        return {}

    def _of(self, body: Body, given: Members) -> Body:
        found: Body | None = body[self._key].get(given[self._id])
        if found is None:
            raise NotFoundException(f"Invalid {self._word} identifier specified")
        return found

    def _check_unused(self, body: Body, own_id: str) -> None:
        uses = ("Target", f"integrations/{own_id}") if self._word == "Integration" else ("AuthorizerId", own_id)
        for route in body["Routes"].values() if self._word != "Route" else ():
            if route.get(uses[0]) == uses[1]:
                raise ConflictException(
                    f"Cannot delete {self._word} '{own_id}', is referenced in route: {route['RouteKey']}"
                )


def routes(apis: Ledger) -> Parts:
    return Parts(apis, "Route", rules.route)


def integrations(apis: Ledger) -> Parts:
    return Parts(apis, "Integration", lambda given, body, own_id: rules.integration(given, own_id))


def authorizers(apis: Ledger) -> Parts:
    return Parts(apis, "Authorizer", rules.authorizer)

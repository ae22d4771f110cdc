"""Tags of functions: TagResource, UntagResource and ListTags. They belong to the function, not to its versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.common import NotImplemented_
from alight.errors.lambda_ import InvalidParameterValueException
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.qualifiers import split

MOST = 50


class Tags:
    """Tags are kept in the function's record. They change neither its configuration nor its revision."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def tag_resource(self, call: Call, given: Members) -> Members:
        check_tags(given["Tags"])
        return await self._change(given, lambda tags: tags | given["Tags"])

    async def untag_resource(self, call: Call, given: Members) -> Members:
        gone = set(given["TagKeys"])
        return await self._change(given, lambda tags: {key: value for key, value in tags.items() if key not in gone})

    async def list_tags(self, call: Call, given: Members) -> Members:
        return {"Tags": self._catalogue.body(_tagged(given))["Tags"]}

    async def _change(self, given: Members, change: Callable[[dict[str, str]], dict[str, str]]) -> Members:
        def job(body: dict[str, Any]) -> dict[str, Any]:
            return body | {"Tags": check_tags(change(body["Tags"]))}

        await self._catalogue.change(_tagged(given), job)
        return {}


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags of a function, as long as they are not too many and none is AWS's own."""
    if len(tags) > MOST:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.", Type="User")
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterValueException("System tags cannot be added/updated by requester.", Type="User")
    return tags


def _tagged(given: Members) -> str:
    """The name of the function whose ARN is given."""
    try:
        kind = names.parse_arn(given["Resource"]).resource.partition(":")[0]
    except ValueError:
        kind = ""
    if kind != "function":
        raise NotImplemented_("Alight keeps tags of functions only; Resource is a function's ARN.")
    name, qualifier = split(given["Resource"])
    if qualifier:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.", Type="User"
        )
    return name

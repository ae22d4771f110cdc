"""Published versions of functions: PublishVersion and ListVersionsByFunction."""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Members
from alight.errors.lambda_ import InvalidParameterValueException
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.definitions import at_revision
from alight.services.lambda_.qualifiers import LATEST, split

#: Entries of one page; a request that asks for more gets as many.
PAGE = 50


class Versions:
    """A version is the function as it was: code and configuration never change again."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def publish_version(self, call: Call, given: Members) -> Members:
        def check(body: dict[str, Any]) -> dict[str, Any]:
            is_hash = body["Configuration"]["CodeSha256"]
            if (wanted := given.get("CodeSha256")) and wanted != is_hash:
                raise InvalidParameterValueException(
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({is_hash}). Please try "
                    "again with the CodeSHA256 in $LATEST.",
                    Type="User",
                )
            return at_revision(body, given)

        version = await self._catalogue.publish(given["FunctionName"], check, given.get("Description"))
        return dict(version["Configuration"])

    async def list_versions_by_function(self, call: Call, given: Members) -> Members:
        """`$LATEST` first, then the versions by number."""
        name, _ = split(given["FunctionName"])
        latest = self._catalogue.body(name, LATEST)
        limit, marker = min(given.get("MaxItems") or PAGE, PAGE), given.get("Marker") or ""
        if not marker.isdecimal() and marker:
            raise InvalidParameterValueException(f"Invalid marker: {marker}", Type="User")
        found = [] if marker else [latest]
        found += self._catalogue.versions(name, after=marker, limit=limit + 1 - len(found))
        answer: Members = {"Versions": [dict(body["Configuration"]) for body in found[:limit]]}
        if len(found) > limit:
            last = found[limit - 1]["Configuration"]["Version"]
            answer["NextMarker"] = "0" if last == LATEST else last
        return answer

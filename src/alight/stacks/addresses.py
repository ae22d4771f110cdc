"""AWS's host names of own APIs become addresses at which they answer here.

A template spells `https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod`, in its Outputs and in what it tells
its functions. On AWS that is where the API is; here it is below this instance's own address. Names of other people's
APIs stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from alight.services.apigatewayv2.apis import MOUNT
from alight.stacks.record import Entry
from alight.stacks.resolve import Later

TYPES = frozenset({"AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"})
_HOST = re.compile(r"https?://(?P<api>[a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?![\w.-])")


def own_apis(entries: Iterable[Entry]) -> frozenset[str]:
    """The ids of a stack's APIs."""
    refs = [entry.known.get("Ref") for entry in entries if entry.type in TYPES]
    return frozenset(str(ref) for ref in refs if ref and not isinstance(ref, Later))


def localised(value: Any, apis: frozenset[str], base_url: str) -> Any:
    """`value` with every address of one of `apis`, wherever it stands in it, below `base_url`."""
    if not apis:
        return value
    if isinstance(value, dict):
        return {name: localised(item, apis, base_url) for name, item in value.items()}
    if isinstance(value, list):
        return [localised(item, apis, base_url) for item in value]
    if not isinstance(value, str) or isinstance(value, Later):
        return value
    return _HOST.sub(lambda match: _address(match, apis, base_url), value)


def _address(match: re.Match[str], apis: frozenset[str], base_url: str) -> str:
    return f"{base_url.rstrip('/')}{MOUNT}/{match['api']}" if match["api"] in apis else match[0]

"""AWS's host names of what a stack owns become addresses at which it answers here. Pure.

A template spells `https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod`, or the website host of a bucket, in
its Outputs and in what it tells its functions. On AWS that is where the thing is; here it is below this instance's
own address. Names of other people's things stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from alight.names import REGION
from alight.services.apigatewayv2.apis import MOUNT
from alight.stacks.record import Entry
from alight.stacks.resolve import Later

_SPELLS_AWS = re.compile(r"\.amazonaws\.com|\.on\.aws", re.IGNORECASE)
_APIS = frozenset({"AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"})
_BUCKET = "AWS::S3::Bucket"
_API_HOST = re.compile(r"https?://(?P<name>[a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?![\w.-])")
_URL = "AWS::Lambda::Url"
_URL_HOST = re.compile(r"https?://(?P<name>[a-z0-9]{32})\.lambda-url\.[a-z0-9-]+\.on\.aws(?![\w.-])")
_WEBSITE_HOST = re.compile(
    rf"https?://(?P<name>[a-z0-9][a-z0-9.-]+)\.s3-website[.-]{REGION}\.amazonaws\.com(?![\w.-])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Owned:
    """The ids of a stack's APIs and function URLs, and the names of its buckets."""

    apis: frozenset[str] = frozenset()
    buckets: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()


def owned(entries: Iterable[Entry]) -> Owned:
    """What a stack owns that has an address; what is not made yet has none."""
    known = list(entries)
    refs = [entry.known.get("Ref") for entry in known if entry.type in _APIS]
    addresses = [str(entry.known.get("FunctionUrl", "")) for entry in known if entry.type == _URL]
    return Owned(
        frozenset(str(ref) for ref in refs if ref and not isinstance(ref, Later)),
        frozenset(entry.name for entry in known if entry.type == _BUCKET),
        frozenset(found["name"] for text in addresses if (found := _URL_HOST.match(text))),
    )


def localised(value: Any, own: Owned, base_url: str) -> Any:
    """`value` with every address of something in `own`, wherever it stands in it, below `base_url`."""
    if isinstance(value, dict):
        return {name: localised(item, own, base_url) for name, item in value.items()}
    if isinstance(value, list):
        return [localised(item, own, base_url) for item in value]
    if not isinstance(value, str) or isinstance(value, Later) or not _SPELLS_AWS.search(value):
        return value
    base = base_url.rstrip("/")

    def below(mount: str, names: frozenset[str], found: re.Match[str]) -> str:
        name = found["name"].lower()
        return f"{base}{mount}/{name}" if name in names else found[0]

    value = _URL_HOST.sub(lambda found: below("/_aws/lambda-url", own.urls, found), value)
    value = _API_HOST.sub(lambda found: below(MOUNT, own.apis, found), value)
    return _WEBSITE_HOST.sub(lambda found: below("/_aws/s3-website", own.buckets, found), value)

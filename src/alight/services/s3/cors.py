"""CORS of buckets: which pages of other origins a bucket lets in, with which verbs and headers.

The gateway asks `CrossOrigin` for every request that a page of another origin sends; without a rule of the bucket
that allows it, it stays as it is for all of Alight: such a page changes nothing and reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alight.calls import Call, Handler, Members
from alight.errors.s3 import (
    AccessForbidden,
    BadRequest,
    InvalidRequest,
    MalformedXML,
    NoSuchBucket,
    NoSuchCORSConfiguration,
)
from alight.services.s3.ground import Ground
from alight.store.objects import ObjectStore

CORS = "cors"
METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
_MOST_RULES = 100
_LONGEST_ID = 255
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_LISTS = ("AllowedHeaders", "AllowedMethods", "AllowedOrigins", "ExposeHeaders")


class Cors:
    """Get, put and remove a bucket's rules."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketCors": self.get_cors,
            "PutBucketCors": self.put_cors,
            "DeleteBucketCors": self.delete_cors,
        }

    async def get_cors(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given)
        if CORS not in bucket.settings:
            raise NoSuchCORSConfiguration(BucketName=bucket.name)
        return {"CORSRules": bucket.settings[CORS]}

    async def put_cors(self, call: Call, given: Members) -> Members:
        name = self._ground.bucket(given).name
        rules = checked((given.get("CORSConfiguration") or {}).get("CORSRules") or [])
        await self._ground.set(name, CORS, rules)
        return {}

    async def delete_cors(self, call: Call, given: Members) -> Members:
        await self._ground.set(self._ground.bucket(given).name, CORS, None)
        return {}


class CrossOrigin:
    """What a bucket's rules say to a page of another origin, as headers of the answer."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def preflight(self, bucket: str, origin: str | None, method: str | None, headers: str) -> Mapping[str, str]:
        """The answer to OPTIONS. Raises S3's refusals where no rule allows what is announced."""
        if origin is None:
            raise BadRequest("Insufficient information. Origin request header needed.")
        if method not in METHODS:
            raise BadRequest(f"Invalid Access-Control-Request-Method: {'null' if method is None else method}")
        row = self._objects.get_bucket(bucket)
        if row is None:
            raise NoSuchBucket(BucketName=bucket)
        if CORS not in row.settings:
            raise AccessForbidden("CORSResponse: CORS is not enabled for this bucket.", Method=method)
        wanted = [name for part in headers.split(",") if (name := part.strip().lower())]
        rule = fitting(row.settings[CORS], origin, method, wanted)
        if rule is None:
            raise AccessForbidden(Method=method)
        return answer(rule, origin) | ({"access-control-allow-headers": ", ".join(wanted)} if wanted else {})

    def headers(self, bucket: str, origin: str, method: str) -> Mapping[str, str]:
        """What goes with the answer to the request itself; nothing where no rule allows it."""
        row = self._objects.get_bucket(bucket)
        rule = fitting(row.settings.get(CORS) or (), origin, method, ()) if row else None
        return answer(rule, origin) if rule else {}


def fitting(rules: Sequence[Members], origin: str, method: str, headers: Sequence[str]) -> Members | None:
    """The first rule that allows this origin, this method and all of these headers."""
    for rule in rules:
        if (
            method in rule["AllowedMethods"]
            and any(_like(pattern, origin) for pattern in rule["AllowedOrigins"])
            and all(any(_like(pattern.lower(), name) for pattern in rule["AllowedHeaders"]) for name in headers)
        ):
            return rule
    return None


def answer(rule: Members, origin: str) -> dict[str, str]:
    """The headers that tell a browser what a rule allows; `*` only where the rule says so itself."""
    for_all = "*" in rule["AllowedOrigins"]
    found = {
        "access-control-allow-origin": "*" if for_all else origin,
        "access-control-allow-methods": ", ".join(rule["AllowedMethods"]),
        "vary": _VARY,
    }
    if not for_all:
        found["access-control-allow-credentials"] = "true"
    if rule["ExposeHeaders"]:
        found["access-control-expose-headers"] = ", ".join(rule["ExposeHeaders"])
    if rule.get("MaxAgeSeconds") is not None:
        found["access-control-max-age"] = str(rule["MaxAgeSeconds"])
    return found


def _like(pattern: str, text: str) -> bool:
    """One `*` stands for any run of characters."""
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)


def checked(rules: list[Members]) -> list[Members]:
    """Rules as they are kept, all lists there. Raises `MalformedXML` or `InvalidRequest`, as S3 does."""
    if not 0 < len(rules) <= _MOST_RULES:
        raise MalformedXML
    return [_checked(rule) for rule in rules]


def _checked(rule: Members) -> Members:
    kept: dict[str, Any] = {name: [str(one) for one in rule.get(name) or []] for name in _LISTS}
    if not kept["AllowedMethods"] or not kept["AllowedOrigins"] or len(str(rule.get("ID") or "")) > _LONGEST_ID:
        raise MalformedXML
    for method in kept["AllowedMethods"]:
        if method not in METHODS:
            raise InvalidRequest(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    for name, word in (("AllowedOrigins", "AllowedOrigin"), ("AllowedHeaders", "AllowedHeader")):
        for pattern in kept[name]:
            if pattern.count("*") > 1:
                raise InvalidRequest(f'{word} "{pattern}" can not have more than one wildcard.')
    for header in kept["ExposeHeaders"]:
        if "*" in header:
            raise InvalidRequest(
                f'ExposeHeader "{header}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
            )
        # They go into a header as they are.
        if not header.isascii() or not header.isprintable():
            raise InvalidRequest(f'ExposeHeader "{header}" contains invalid character.')
    return kept | {name: rule[name] for name in ("ID", "MaxAgeSeconds") if rule.get(name) is not None}

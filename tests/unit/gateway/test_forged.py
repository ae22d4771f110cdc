"""Good requests of every kind, changed in one signed place: not one is accepted.

`make test` makes a few thousand; ALIGHT_CHAOS_FORGED=100000 as many, ALIGHT_TEST_SEED=N the same ones again.
"""

from __future__ import annotations

import copy
import hmac
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from alight.gateway.request import split_query
from tests.unit.gateway.asking import Asked
from tests.unit.gateway.forging import SIGNED_CHUNKS, WORKER, Arriving, link, said, signed
from tests.unit.gateway.signing import SECRET, sha256
from tests.unit.gateway.test_auth_grid import Doors, ask, gateway

COUNT = int(os.environ.get("ALIGHT_CHAOS_FORGED", "3000"))
SEED = int(os.environ.get("ALIGHT_TEST_SEED") or random.Random().randrange(2**32))
JSON = b'{"a": "hello"}'
FORM = {"content-type": "application/x-www-form-urlencoded"}
TARGET = {"x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0"}
META = {"x-amz-meta-who": "me", "x-amz-acl": "private"}
PUT = Asked("s3", "PutObject", "s3", "PUT", "/pics/a%20b/card.jpg", META, JSON)
GET = Asked("s3", "GetObject", "s3", "GET", "/pics/card.jpg?response-content-type=a%2Fb&versionId=v1", {}, b"")
HOSTED = Asked("s3", "GetObject", "s3", "GET", "/card.jpg", {}, b"", "pics.s3.localhost:4566")
DELETE = Asked("s3", "DeleteObject", "s3", "DELETE", "/pics/card.jpg", {}, b"")
INVOKE = Asked("lambda", "Invoke", "lambda", "POST", "/2015-03-31/functions/f/invocations?Qualifier=1", {}, JSON)
LIST = Asked("lambda", "ListFunctions", "lambda", "GET", "/2015-03-31/functions?MaxItems=5", {}, b"")
API = Asked("apigateway", "DeleteRestApi", "apigateway", "DELETE", "/restapis/a", {}, b"")
SEND = Asked("sqs", "SendMessage", "sqs", "POST", "/", TARGET, b'{"QueueUrl": "q", "MessageBody": "b"}')
PUBLISH = Asked("sns", "Publish", "sns", "POST", "/", FORM, b"Action=Publish&Version=2010-03-31&TopicArn=t&Message=m")
ASK = Asked("iam", "ListUsers", "iam", "GET", "/?Action=ListUsers&MaxItems=3&Version=2010-05-08", {}, b"")


@dataclass(frozen=True)
class Good:
    """A request that is accepted. `content` is what its signature covers of the body."""

    name: str
    scope: dict[str, Any]
    body: bytes
    content: bytes = b""

    @property
    def lines(self) -> list[int]:
        """The places of the headers that are signed, and of the signature."""
        head = dict(self.scope["headers"])
        found = re.search(rb"SignedHeaders=([^,\s]+)", head.get(b"authorization", b""))
        names = [*(found[1].split(b";") if found else [b"host"]), b"authorization"]
        return [place for place, (name, _) in enumerate(self.scope["headers"]) if name in names]


@cache
def good() -> tuple[Good, ...]:
    """One of each kind."""
    made = []
    for asked in (PUT, GET, HOSTED, DELETE, INVOKE, LIST, API, SEND, PUBLISH, ASK):
        for kind, form in (
            ("header", signed()),
            ("worker's header", signed(credentials=WORKER)),
            ("link", link()),
            ("worker's link", link(credentials=WORKER)),
        ):
            scope, body = form(asked)
            covered = body if "header" in kind or asked.signing != "s3" else b""
            made.append(Good(f"{kind}, {asked.operation}", scope, body, covered))
    for asked in (GET, DELETE):
        made.append(Good(f"version 2, {asked.operation}", *signed(place="query v2", said=None)(asked)))
    made.append(Good("payload not signed", *signed(said="UNSIGNED-PAYLOAD")(PUT)))
    for trailer in (False, True):
        scope, body = chunked(trailer)
        made.append(Good("chunks and trailer" if trailer else "chunks", scope, body, body))
    return tuple(made)


def chunked(trailer: bool) -> Arriving:
    """Three chunks and the last, each signed; with a trailer, that too."""
    headers = {"x-amz-decoded-content-length": "21", "content-encoding": "aws-chunked"}
    headers |= {"x-amz-trailer": "x-amz-checksum-crc32c"} if trailer else {}
    scope, _ = said(PUT, said=SIGNED_CHUNKS + ("-TRAILER" if trailer else ""), headers=headers)
    head = dict(scope["headers"])
    mark, moment = head[b"authorization"].rpartition(b"=")[2].decode(), head[b"x-amz-date"].decode()
    place = f"{moment[:8]}/us-east-1/s3/aws4_request"
    key = b"AWS4" + SECRET.encode()
    for step in place.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    body = b""
    for piece in (b"first..", b"second.", b"third..", b""):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{moment}\n{place}\n{mark}\n{sha256(b'')}\n{sha256(piece)}"
        mark = hmac.digest(key, text.encode(), "sha256").hex()
        body += b"%x;chunk-signature=%s\r\n" % (len(piece), mark.encode()) + (piece + b"\r\n" if piece else b"")
    if trailer:
        line = b"x-amz-checksum-crc32c:sOO8/Q=="
        hashed = sha256(line + b"\n")
        text = f"AWS4-HMAC-SHA256-TRAILER\n{moment}\n{place}\n{mark}\n{hashed}"
        mark = hmac.digest(key, text.encode(), "sha256").hex()
        body += line + b"\r\nx-amz-trailer-signature:" + mark.encode() + b"\r\n"
    return scope, body + b"\r\n"


# What is done to them ------------------------------------------------------------------------------------------------


@dataclass
class Forged:
    """A copy of a good request, to be changed."""

    good: Good
    scope: dict[str, Any]
    body: bytes
    dice: random.Random

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.scope["headers"] if key == name), b"")

    def set(self, name: bytes, value: bytes) -> None:
        self.scope["headers"] = [pair for pair in self.scope["headers"] if pair[0] != name] + [(name, value)]

    def flip(self, text: bytes) -> bytes:
        if not text:
            return text
        at = self.dice.randrange(len(text))
        return text[:at] + bytes([text[at] ^ (1 << self.dice.randrange(8))]) + text[at + 1 :]

    def swap(self, parts: list[bytes]) -> list[bytes]:
        if len(parts) > 1:
            one, other = self.dice.sample(range(len(parts)), 2)
            parts[one], parts[other] = parts[other], parts[one]
        return parts

    def said(self, change: Callable[[bytes], bytes]) -> None:
        """Where the request says who signed it."""
        if self.header(b"authorization"):
            self.set(b"authorization", change(self.header(b"authorization")))
        else:
            self.scope["query_string"] = change(self.scope["query_string"])

    def replace(self, pattern: bytes, make: Callable[[re.Match[bytes]], bytes]) -> None:
        self.said(lambda text: re.sub(pattern, make, text, count=1))


def flip_header(it: Forged) -> None:
    place = it.dice.choice(it.good.lines)
    name, value = it.scope["headers"][place]
    it.scope["headers"][place] = (name, it.flip(value))


def flip_name(it: Forged) -> None:
    place = it.dice.choice(it.good.lines)
    name, value = it.scope["headers"][place]
    it.scope["headers"][place] = (it.flip(name).lower(), value)


def flip_path(it: Forged) -> None:
    it.scope["raw_path"] = it.flip(it.scope["raw_path"])


def walk_path(it: Forged) -> None:
    """Steps that a path may have or not without another meaning, somewhere else."""
    steps = it.scope["raw_path"].split(b"/")
    steps.insert(
        it.dice.randrange(1, len(steps) + 1),
        it.dice.choice([b"", b".", b"..", b"x/..", b"x/y/../..", b"%2e%2e", b"%2E", b"..%2f", b";a=b", b"%00"]),
    )
    it.scope["raw_path"] = b"/".join(steps)


def escape_path(it: Forged) -> None:
    path = it.scope["raw_path"]
    at = it.dice.randrange(1, len(path)) if len(path) > 1 else 0
    it.scope["raw_path"] = path[:at] + b"%%%02X" % path[at] + path[at + 1 :]


def flip_query(it: Forged) -> None:
    it.scope["query_string"] = it.flip(it.scope["query_string"])


def more_query(it: Forged) -> None:
    more = [b"acl", b"versionId=v2", b"uploads", b"Action=DeleteUser", b"x-amz-acl=public-read", b"tagging", b"policy",
            b"X-Amz-Date=20260102T030405Z", b"X-Amz-Expires=604800", b"x-amz-security-token=x", b"delete",
            b"Qualifier=2", b"X-Amz-SignedHeaders=host", b"list-type=2", b"%61cl"]  # fmt: skip
    given = it.scope["query_string"]
    parts = given.split(b"&") if given else []
    parts.insert(it.dice.randrange(len(parts) + 1), it.dice.choice(more))
    it.scope["query_string"] = b"&".join(parts)


def double_query(it: Forged) -> None:
    """A parameter a second time, with another value, before or behind its own."""
    parts = it.scope["query_string"].split(b"&")
    name, _, value = it.dice.choice(parts).partition(b"=")
    parts.insert(it.dice.choice([0, len(parts)]), name + b"=" + it.flip(value or b"x"))
    it.scope["query_string"] = b"&".join(parts)


def less_query(it: Forged) -> None:
    parts = it.scope["query_string"].split(b"&")
    parts.pop(it.dice.randrange(len(parts)))
    it.scope["query_string"] = b"&".join(parts)


def swap_values(it: Forged) -> None:
    pairs = [part.split(b"=", 1) for part in it.scope["query_string"].split(b"&") if b"=" in part]
    values = it.swap([value for _, value in pairs])
    it.scope["query_string"] = b"&".join(name + b"=" + value for (name, _), value in zip(pairs, values, strict=True))


def case_of_query(it: Forged) -> None:
    parts = it.scope["query_string"].split(b"&")
    at = it.dice.randrange(len(parts))
    name, equals, value = parts[at].partition(b"=")
    change = it.dice.choice([bytes.upper, bytes.lower, bytes.swapcase])
    parts[at] = it.dice.choice([change(name) + equals + value, name + equals + change(value)])
    it.scope["query_string"] = b"&".join(parts)


def case_of_header(it: Forged) -> None:
    place = it.dice.choice(it.good.lines)
    name, value = it.scope["headers"][place]
    it.scope["headers"][place] = (name, it.dice.choice([value.upper(), value.lower(), value.swapcase()]))


def another_verb(it: Forged) -> None:
    it.scope["method"] = it.dice.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "get"])


def another_host(it: Forged) -> None:
    hosts = [b"localhost:4566", b"other.s3.localhost:4566", b"127.0.0.1", b"pics.localhost:4566", b"[::1]:4566",
             b"127.0.0.1:4567", b"evil.example", b"127.0.0.1:4566, evil.example", b"sns.localhost:4566"]  # fmt: skip
    if it.good.name.startswith("version 2"):
        # It signs the bucket, not the name of the house.
        hosts = [b"other.s3.localhost:4566", b"pics.localhost:4566", b"127.0.0.1:4567", b"evil.example"]
    it.set(b"host", it.dice.choice(hosts))


def another_date(it: Forged) -> None:
    moment = it.dice.choice([b"20260102T030406Z", b"20260102T031905Z", b"20260101T030405Z", b"20260102T030405", b""])
    if it.header(b"x-amz-date"):
        it.set(b"x-amz-date", moment)
    else:
        it.replace(rb"(X-Amz-Date|Expires)=[^&]+", lambda found: found[1] + b"=" + moment)


def another_scope(it: Forged) -> None:
    part = it.dice.randrange(5)
    other = [b"AKIANOBODY", b"20260103", b"eu-west-1", it.dice.choice([b"s3", b"iam", b"lambda", b"sts"]), b"aws5"][
        part
    ]

    def change(found: re.Match[bytes]) -> bytes:
        parts = re.split(rb"/|%2F", found[2])
        parts[part] = other
        return found[1] + (b"%2F" if b"%2F" in found[2] else b"/").join(parts)

    it.replace(rb"(Credential=)([^,&\s]+)", change)


def another_list(it: Forged) -> None:
    """Of the names of signed headers one less, one more, another order, another case."""

    def change(found: re.Match[bytes]) -> bytes:
        joint = b"%3B" if b"%3B" in found[2] else b";"
        names = found[2].split(joint)
        match it.dice.randrange(4):
            case 0:
                names.pop(it.dice.randrange(len(names)))
            case 1:
                names.append(it.dice.choice([b"x-amz-zzz", b"zeta", b"host", b"content-length"]))
            case 2:
                names = it.swap(names)
            case _:
                names = [name.upper() for name in names]
        return found[1] + joint.join(names)

    it.replace(rb"(SignedHeaders=)([^,&\s]+)", change)


def another_mark(it: Forged) -> None:
    """A guess, a part, an empty one, another one's."""
    guess = bytes(it.dice.choices(b"0123456789abcdef", k=64))

    def change(found: re.Match[bytes]) -> bytes:
        own = found[2]
        return found[1] + it.dice.choice(
            [guess, own[:-1], own + b"0", b"", own.upper(), own[::-1], b"0" * 64, own[:32]]
        )

    it.replace(rb"((?:^|[ ,&]|-)Signature=)([^,&\s]*)", change)


def another_expiry(it: Forged) -> None:
    it.replace(
        rb"(Expires=)\d+", lambda found: found[1] + it.dice.choice([b"601", b"604800", b"0600", b"-1", b"1767409445"])
    )


def another_token(it: Forged) -> None:
    token = it.dice.choice([b"old", b"x", b"", b"tok/en+=x"])
    if it.header(b"authorization"):
        it.set(b"x-amz-security-token", token)
    else:
        it.scope["query_string"] += b"&X-Amz-Security-Token=" + token


def another_payload(it: Forged) -> None:
    """What the request says of its body."""
    it.set(
        b"x-amz-content-sha256",
        it.dice.choice(
            [b"UNSIGNED-PAYLOAD", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGNED_CHUNKS.encode(), b"0" * 64, b"x", b"",
             SIGNED_CHUNKS.encode() + b"-TRAILER", sha256(b"").upper().encode()]
        ),
    )  # fmt: skip


def smuggled_header(it: Forged) -> None:
    """A header that is not signed and would mean something, or a second one of a signed name."""
    names = [name for name, _ in it.scope["headers"] if name != b"user-agent"]
    signed_names = [it.scope["headers"][place][0] for place in it.good.lines]
    name, value = it.dice.choice(
        [
            (b"x-amz-acl", b"public-read-write"), (b"x-amz-copy-source", b"/secret/key"), (b"x-amz-meta-who", b"you"),
            (b"x-amz-tagging", b"a=b"), (b"x-amz-target", b"AmazonSQS.DeleteQueue"), (b"x-amz-bypass", b"1"),
            (b"x-amz-security-token", b"tok/en+="), (b"x-amz-invocation-type", b"Event"), (b"host", b"localhost:4566"),
            (it.dice.choice(signed_names), b"x"), (b"authorization", b"AWS4-HMAC-SHA256 Credential=x"),
        ]
    )  # fmt: skip
    if name == b"authorization" and name not in names:
        it.scope["headers"].append((name, b"Bearer x"))
    else:
        it.scope["headers"].insert(it.dice.choice([0, len(it.scope["headers"])]), (name, value))


def flip_body(it: Forged) -> None:
    it.body = it.flip(it.body)


def longer_body(it: Forged) -> None:
    it.body = it.dice.choice([it.body + b"x", it.body[:-1], b"", it.body * 2, b"x" + it.body])


def swap_chunks(it: Forged) -> None:
    """Chunks in another order, one twice, one less, one of another request."""
    lines = re.findall(rb"[0-9a-f]+;chunk-signature=[0-9a-f]{64}\r\n(?:.{7}\r\n)?", it.body, re.DOTALL)
    rest = it.body[sum(map(len, lines)) :]
    match it.dice.randrange(4):
        case 0:
            lines = it.swap(lines)
        case 1:
            lines.insert(it.dice.randrange(len(lines)), it.dice.choice(lines))
        case 2:
            lines.pop(it.dice.randrange(len(lines)))
        case _:
            at = it.dice.randrange(len(lines))
            lines[at] = re.sub(rb"=[0-9a-f]{64}", b"=" + sha256(b"x").encode(), lines[at])
    it.body = b"".join(lines) + rest


def another_trailer(it: Forged) -> None:
    change = it.dice.choice(
        [
            (b"sOO8/Q==", b"sOO8/R=="), (b"x-amz-checksum-crc32c", b"x-amz-checksum-crc32"),
            (b"x-amz-trailer-signature", b"x-amz-trailer-signatur"), (b"\r\n\r\n", b"\r\nx-amz-meta-a:b\r\n\r\n"),
            (b"x-amz-checksum-crc32c:", b"x-amz-acl:private\r\nx-amz-checksum-crc32c:"),
        ]
    )  # fmt: skip
    it.body = it.body.replace(*change)


ALWAYS = (flip_header, flip_name, flip_path, walk_path, escape_path, more_query, another_verb, another_host,
          another_date, another_scope, another_list, another_mark, another_token, another_payload, smuggled_header,
          case_of_header)  # fmt: skip
OF_QUERIES = (flip_query, double_query, less_query, swap_values, case_of_query, another_expiry)
OF_BODIES = (flip_body, longer_body)
OF_CHUNKS = (swap_chunks, another_trailer)


def ways(given: Good) -> list[Callable[[Forged], None]]:
    found = [*ALWAYS, *(OF_QUERIES if given.scope["query_string"] else ()), *(OF_BODIES if given.content else ())]
    return [*found, *(OF_CHUNKS * 4 if given.name.startswith("chunks") else ())]


# Whether it says the same still ---------------------------------------------------------------------------------------


def meaning(given: Good, scope: dict[str, Any], body: bytes) -> Any:
    """What a request says, in whatever order and spelling it may be said: two that mean the same are one request."""
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name != b"user-agent" and name != b"accept-encoding":
            headers.setdefault(name, []).append(b" ".join(value.split()))
    query = scope["query_string"].decode("latin-1")
    try:
        pairs = sorted(split_query(query))
    except Exception:
        pairs = [(query, "")]
    if given.name.startswith("chunks"):
        # The size of a chunk may be written in another case or with zeros before it: that is not signed.
        body = re.sub(rb"(^|\r\n)0*([0-9a-fA-F]+);", lambda found: found[1] + found[2].lower() + b";", body)
    return scope["method"], scope["raw_path"], pairs, headers, body if given.content else b""


async def test_forged_requests() -> None:
    doors, dice, counts = Doors(), random.Random(SEED), Counter[str]()
    at, wrong, statuses = gateway(doors), [], Counter[int]()
    for given in good():
        await ask(at, copy.deepcopy(given.scope), given.body)
        assert len(doors.reached) == 1, f"{given.name} is not accepted as it is"
        doors.reached.clear()
    while counts.total() < COUNT:
        given = good()[counts.total() % len(good())]
        way = dice.choice(ways(given))
        scope = {**given.scope, "headers": list(given.scope["headers"])}
        it = Forged(given, scope, given.body, dice)
        way(it)
        if meaning(given, it.scope, it.body) == meaning(given, given.scope, given.body):
            continue
        counts[way.__name__] += 1
        status = await ask(at, it.scope, it.body)
        statuses[status] += 1
        if doors.reached or not (400 <= status < 500 or status in (501,)):
            wrong.append((given.name, way.__name__, status, it.scope, it.body, doors.reached[:]))
        doors.reached.clear()
    print(f"\n{len(good())} good requests, {len(counts)} ways to change them, seed {SEED}: {counts.total()} forged, "
          f"{len(wrong)} accepted")  # fmt: skip
    print(f"answers: {dict(sorted(statuses.items()))}; the rarest way {min(counts.values())} times")
    assert wrong == [], "\n".join(map(str, wrong[:20]))

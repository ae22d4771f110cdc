"""Whatever is sent, signed or not: the client's fault is told as a 4xx in the service's format, never as a bare 500."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.calls import Call, Members
from alight.clock import ManualClock
from alight.gateway.asgi import Gateway
from alight.gateway.route import Router
from tests.unit.gateway.signing import NOW, lookup, sha256, signed_scope


class Anything:
    """Every operation reads its body and answers nothing."""

    def get(self, name: tuple[str, str]) -> Any:
        return self.answer

    async def answer(self, call: Call, given: Members) -> Members:
        if hasattr(given.get("Body"), "__aiter__"):
            async for _ in given["Body"]:
                pass
        return {}


@cache
def router() -> Router:
    return Router()


async def ask(scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    operations: Any = Anything()
    gateway = Gateway(operations=operations, keys=lookup, clock=ManualClock(NOW), router=router())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
    scope["headers"].append((b"content-length", str(len(body)).encode()))
    await gateway(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), answer


SEEDS: list[tuple[str, str, str, dict[str, str], bytes]] = [
    ("s3", "POST", "/pics?delete", {}, b"<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>"),
    ("s3", "PUT", "/pics?notification", {}, b"<NotificationConfiguration><QueueConfiguration><Id>i</Id><Queue>q</Queue>"
     b"<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>x</Value></FilterRule>"
     b"</S3Key></Filter></QueueConfiguration></NotificationConfiguration>"),
    ("s3", "PUT", "/pics/k?partNumber=1&uploadId=u", {"x-amz-meta-a": "b"}, b"body"),
    ("s3", "GET", "/pics?list-type=2&max-keys=5&prefix=a%20b", {}, b""),
    ("sns", "POST", "/", {"content-type": "application/x-www-form-urlencoded"},
     b"Action=Publish&Message=m&MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.DataType=String"),
    ("sqs", "POST", "/", {"x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0"},
     b'{"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "1"}}}'),
    ("sqs", "POST", "/", {"content-type": "application/x-www-form-urlencoded"},
     b"Action=SendMessage&QueueUrl=q&MessageBody=b&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String"),
    ("lambda", "PUT", "/2015-03-31/functions/f/configuration", {"content-type": "application/json"},
     b'{"Timeout": 5, "Environment": {"Variables": {"A": "b"}}, "Layers": ["l"]}'),
    ("lambda", "POST", "/2015-03-31/functions/f/invocations?Qualifier=1", {"x-amz-invocation-type": "Event"}, b"{}"),
    ("logs", "POST", "/", {"x-amz-target": "Logs_20140328.PutLogEvents", "content-type": "application/x-amz-json-1.1"},
     b'{"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]}'),
]  # fmt: skip


def mangled(value: bytes, at: int, cut: int, insert: bytes) -> bytes:
    at = at % (len(value) + 1)
    return value[:at] + insert + value[at + cut :]


TOKENS = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b"<", b">", b"&", b"%", b"%00", b"..", b"//", b"=", b"null", b"[", b"{", b"1e999", b'"', b".1", b"\\u"]
    ),
)


@settings(max_examples=400, deadline=None)
@given(seed=st.sampled_from(SEEDS), at=st.integers(0, 400), cut=st.integers(0, 6), insert=TOKENS)
async def test_mangled_bodies(seed: Any, at: int, cut: int, insert: bytes) -> None:
    service, method, url, headers, body = seed
    body = mangled(body, at, cut, insert)
    scope = signed_scope(method, url, body, service=service, headers=headers, said=sha256(body))
    status, _, answer = await ask(scope, body)
    assert status < 500 or status == 501, answer


@settings(max_examples=400, deadline=None)
@given(
    seed=st.sampled_from(SEEDS), at=st.integers(0, 400), cut=st.integers(0, 6), insert=TOKENS, part=st.integers(0, 9)
)
async def test_mangled_heads(seed: Any, at: int, cut: int, insert: bytes, part: int) -> None:
    service, method, url, headers, body = seed
    scope = signed_scope(method, url, body, service=service, headers=headers, said=sha256(body))
    field = ["raw_path", "query_string", *range(len(scope["headers"]))][part % (2 + len(scope["headers"]))]
    if isinstance(field, int):
        name, value = scope["headers"][field]
        scope["headers"][field] = (name, mangled(value, at, cut, insert))
    else:
        scope[field] = mangled(scope[field], at, cut, insert)
    status, _, answer = await ask(scope, body)
    assert status < 500 or status == 501, answer


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    path=st.text(st.sampled_from("/abB-_.%2F0"), max_size=20),
    query=st.text(st.sampled_from("acl=&uploadId%20+?"), max_size=20),
    service=st.sampled_from(
        ["s3", "lambda", "sagemaker", "sns", "sqs", "monitoring", "logs", "iam", "sts", "dynamodb"]
    ),
)
async def test_any_address_signed_for_any_service(method: str, path: str, query: str, service: str) -> None:
    try:
        scope = signed_scope(method, "/" + path, b"", service=service, said=sha256(b""))
    except ValueError:
        return
    scope["query_string"] = query.encode()
    status, _, answer = await ask(scope, b"")
    assert status < 500 or status == 501, answer


@pytest.mark.parametrize(("service", "protocol"), [("s3", "xml"), ("lambda", "json"), ("sqs", "json"), ("sns", "xml")])
async def test_refusals_are_in_the_services_format(service: str, protocol: str) -> None:
    headers = {"x-amz-target": "AmazonSQS.Odd"} if service == "sqs" else {}
    scope = signed_scope("POST", "/odd/path", b"", service=service, headers=headers, said=sha256(b""))
    status, found, answer = await ask(scope, b"")
    assert 400 <= status < 500
    assert protocol.encode() in found[b"content-type"]
    if protocol == "json":
        assert json.loads(answer)
    else:
        assert answer.startswith(b"<?xml")


async def test_a_service_that_is_not_offered_is_named() -> None:
    headers = {"x-amz-target": "DynamoDB_20120810.ListTables"}
    scope = signed_scope("POST", "/", b"{}", service="dynamodb", headers=headers, said=sha256(b"{}"))
    status, _, answer = await ask(scope, b"{}")
    assert status == 501
    assert json.loads(answer) == {"__type": "NotImplemented", "message": "Alight does not offer the service dynamodb."}

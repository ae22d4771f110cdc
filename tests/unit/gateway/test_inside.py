"""What comes by a worker's hatch walks on as any request: its session, its role's policies, its body's checksum."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alight.calls import Call, Members
from alight.clock import ManualClock
from alight.errors.common import AccessDenied
from alight.functions.hatch import Asked
from alight.functions.hatch_end import Later
from alight.gateway.asgi import Gateway
from alight.gateway.inside import Inside
from alight.gateway.load import Load, Share
from alight.gateway.mounts import Mount
from alight.gateway.request import Request
from alight.gateway.signature import Key, examine
from tests.unit.gateway.signing import NOW, WORKER, lookup, sha256

SESSION = ("ASIAWORKER", "tok/en+=")
PUBLISH = b"Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At&Message=hello"


def asked(
    method: str = "GET", target: str = "/birds/card.jpg", service: str = "s3", body: bytes = b"", **more: Any
) -> Asked:
    scope = f"AWS4-HMAC-SHA256 Credential=ASIAWORKER/00000000/us-east-1/{service}/aws4_request"
    headers = {"host": "evil.example", "authorization": scope}
    return Asked(method, target, headers | {name.replace("_", "-"): value for name, value in more.items()}, body)


@dataclass
class House:
    """Operations that keep what they are called with."""

    calls: list[tuple[Call, Members]] = field(default_factory=list)
    allowed: bool = True

    async def handle(self, call: Call, given: Members) -> Members:
        self.calls.append((call, given))
        return {"MessageId": "m"} if call.operation == "Publish" else {"Body": b"card", "ContentLength": 4}

    def authorize(self, call: Call, given: Members) -> None:
        if not self.allowed:
            raise AccessDenied(f"{call.principal.arn} may not {call.operation} {given['Key']}")

    def inside(self, **more: Any) -> Inside:
        names = [("s3", "GetObject"), ("s3", "HeadObject"), ("s3", "DeleteObjects"), ("sns", "Publish")]
        names += [("sagemaker-runtime", "InvokeEndpoint"), ("sagemaker-runtime", "InvokeEndpointWithResponseStream")]
        gateway = Gateway(
            dict.fromkeys(names, self.handle), lookup, ManualClock(NOW), authorize=self.authorize,
            mounts={"/_alight/": Mount(self._app)}, **more,
        )  # fmt: skip
        return Inside(gateway, "http://127.0.0.1:4566")

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError


async def test_a_call_is_the_workers_own() -> None:
    house = House()
    response = await house.inside().answer(*SESSION, asked())
    assert response is not None
    assert (response.status, response.body) == (200, b"card")
    assert dict(response.headers)[b"content-length"] == b"4"
    [(call, given)] = house.calls
    assert (call.principal, given) == (WORKER, {"Bucket": "birds", "Key": "card.jpg"})
    assert call.base_url == "http://127.0.0.1:4566", "whatever Host it says"


async def test_a_form_is_read() -> None:
    house = House()
    form = {"content_type": "application/x-www-form-urlencoded"}
    response = await house.inside().answer(*SESSION, asked("POST", "/", "sns", PUBLISH, **form))
    assert response is not None
    assert b"<MessageId>m</MessageId>" in response.body  # type: ignore[operator]
    assert house.calls[0][1]["Message"] == "hello"


async def test_a_head_has_no_body_and_says_how_long_it_would_be() -> None:
    response = await House().inside().answer(*SESSION, asked("HEAD"))
    assert response is not None
    assert (response.body, dict(response.headers)[b"content-length"]) == (b"", b"4")


@pytest.mark.parametrize("session", [("ASIAOLD", "old"), ("ASIAWORKER", "other"), ("AKIATEST", "tok/en+=")])
async def test_a_session_that_is_not_good_any_more_is_refused(session: tuple[str, str]) -> None:
    house = House()
    response = await house.inside().answer(*session, asked())
    assert response is not None
    assert response.status in (400, 403)
    assert not house.calls


async def test_the_role_is_asked() -> None:
    house = House(allowed=False)
    response = await house.inside().answer(*SESSION, asked())
    assert response is not None
    assert response.status == 403
    assert b"may not GetObject card.jpg" in response.body  # type: ignore[operator]
    assert not house.calls


async def test_a_body_that_is_not_what_its_checksum_says_is_refused() -> None:
    house = House()
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    wrong = {"content_md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    response = await house.inside().answer(*SESSION, asked("POST", "/birds?delete", body=body, **wrong))
    assert response is not None
    assert b"<Code>BadDigest</Code>" in response.body  # type: ignore[operator]
    assert not house.calls


async def test_one_too_many_is_told_to_come_again() -> None:
    house = House()
    response = await house.inside(load=Load(requests=0)).answer(*SESSION, asked())
    assert response is not None
    assert response.status == 503
    assert not house.calls


async def test_callers_from_outside_do_not_take_a_workers_places() -> None:
    house, load = House(), Load(requests=1)
    Share(load).begin()
    response = await house.inside(load=load).answer(*SESSION, asked())
    assert response is not None
    assert response.status == 200


#: Each differs from a call that is answered in one thing.
USUAL = {
    "no scope": Asked("GET", "/birds/card.jpg", {}, b""),
    "a link's query": asked(target="/birds/card.jpg?X-Amz-Signature=s"),
    "a mounted page": asked(target="/_alight/health"),
    "a bare path": asked(target="birds/card.jpg"),
    "a blank in the path": asked(target="/birds/card jpg"),
    "a method of no operation": asked("TRACE"),
    "chunks": asked(transfer_encoding="chunked"),
    "signed chunks": asked(x_amz_decoded_content_length="4"),
    "a page's origin": asked(origin="http://evil.example"),
    "a control in a header": asked(x_amz_meta_note="a\rb"),
    "a name that is none": Asked("GET", "/birds/card.jpg", {**asked().headers, "x amz meta": "a"}, b""),
    "a form with files": asked("POST", "/birds", content_type="multipart/form-data; boundary=b"),
    "an answer in frames": asked("POST", "/endpoints/e/invocations-response-stream", "sagemaker"),
    "a step of dots": asked("POST", "/endpoints/../invocations", "sagemaker"),
}


@pytest.mark.parametrize("name", USUAL)
async def test_what_is_no_plain_call_is_sent_the_usual_way(name: str) -> None:
    house = House()
    assert await house.inside().answer(*SESSION, USUAL[name]) is None
    assert not house.calls


@pytest.mark.parametrize(("kind", "service", "path"), [(S3SigV4Auth, "s3", "/pics/a%20b.jpg"), (SigV4Auth, "sns", "/")])
def test_a_signature_that_is_made_after_all_is_good(kind: Any, service: str, path: str) -> None:
    """As botocore has it by then: prepared, with headers of bytes and, in place of a signature, what stands for it."""
    later = Later(b"AWS4-HMAC-SHA256 Credential=ASIAWORKER/00000000/us-east-1/s3/aws4_request")
    later.auth = kind(Credentials("ASIAWORKER", "worker-secret", "tok/en+="), service, "us-east-1")
    later.context, later.own_way = {}, kind.add_auth
    prepared = AWSRequest("POST", f"http://127.0.0.1:4566{path}", headers={"A": "b"}, data=b"body").prepare()
    for name, value in prepared.headers.items():
        prepared.headers[name] = value.encode()
    prepared.headers["Authorization"] = later
    now = time.time()
    later.sign(prepared)
    sent = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
    }
    headers = sent | {"host": "127.0.0.1:4566"}
    request = Request("POST", path, "", (), headers, "127.0.0.1", 4566, "http", "127.0.0.1")

    def key(access_key_id: str, token: str | None) -> Key | None:
        return Key("worker-secret", WORKER) if (access_key_id, token) == SESSION else None

    claim = examine(request, key, now=now, service=service)
    assert claim.settle(sha256(b"body"))[0] == WORKER

"""The grid of authentication: place x payload x service, each cell decided; and nothing that was touched passes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.calls import ANONYMOUS, Principal
from alight.errors import Fault
from alight.errors.common import AccessDenied
from alight.errors.gateway import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    ExpiredToken,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidRequest,
    MissingSecurityHeader,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
    UnknownPayloadHash,
)
from alight.gateway.canonical import is_plain_path
from alight.gateway.request import read_request
from alight.gateway.signature import Claim, Payload, examine
from tests.unit.gateway.signing import ACCESS_KEY, NOW, ROOT, SECRET, WORKER, lookup, sha256, signed, signed_scope

BODY = b"hello"
HEX = sha256(BODY)
SAID = [
    None,
    HEX,
    "UNSIGNED-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-EVENTS",
    "unsigned-payload",
    "UNSIGNED-PAYLOAD ,UNSIGNED-PAYLOAD",
    HEX.upper(),
    HEX[:-1],
    "x",
]
#: What is let in; every other cell is refused.
OPEN: dict[tuple[str, str], dict[str | None, Payload]] = {
    ("header", "s3"): {
        HEX: Payload.HASHED,
        "UNSIGNED-PAYLOAD": Payload.UNSIGNED,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Payload.UNSIGNED_TRAILER,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Payload.SIGNED_CHUNKS,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Payload.SIGNED_CHUNKS_TRAILER,
    },
    ("header", "lambda"): {None: Payload.BODY, HEX: Payload.HASHED},
    ("query", "s3"): {None: Payload.UNSIGNED, HEX: Payload.HASHED, "UNSIGNED-PAYLOAD": Payload.UNSIGNED},
    ("query", "lambda"): {None: Payload.BODY, HEX: Payload.HASHED},
    ("query v2", "s3"): {None: Payload.UNSIGNED, HEX: Payload.HASHED, "UNSIGNED-PAYLOAD": Payload.UNSIGNED},
    ("query v2", "lambda"): {},
    ("none", "s3"): {
        None: Payload.UNSIGNED,
        HEX: Payload.HASHED,
        "UNSIGNED-PAYLOAD": Payload.UNSIGNED,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Payload.UNSIGNED_TRAILER,
    },
    ("none", "lambda"): {None: Payload.BODY, HEX: Payload.HASHED},
}
REQUESTS = [
    ("PUT", "/pics/card.jpg"),
    ("PUT", "/pics/card.jpg?partNumber=1&uploadId=u"),
    ("POST", "/pics/card.jpg?uploads"),
    ("GET", "/pics/card.jpg"),
    ("DELETE", "/pics/card.jpg"),
    ("HEAD", "/pics/card.jpg"),
]


def looked_at(request: Any, service: str = "s3", now: float = NOW, **more: Any) -> Claim:
    return examine(request, lookup, now=now, service=service, region="us-east-1", **more)


def principal(claim: Claim) -> Principal:
    return claim.settle(HEX if claim.payload is Payload.BODY else None)[0]


@pytest.mark.parametrize(("method", "url"), REQUESTS)
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(("place", "service"), list(OPEN))
def test_every_cell_of_the_grid(place: str, service: str, said: str | None, method: str, url: str) -> None:
    request = signed(method, url, BODY, place=place, service=service, said=said)
    mode = OPEN[place, service].get(said)
    if mode is None:
        with pytest.raises((UnknownPayloadHash, MissingSecurityHeader, InvalidRequest, SignatureDoesNotMatch)):
            principal(looked_at(request, service))
        return
    claim = looked_at(request, service)
    assert claim.payload is mode
    assert principal(claim) == (ANONYMOUS if place == "none" else ROOT)
    assert claim.is_anonymous == (place == "none")


@pytest.mark.parametrize(("method", "url"), REQUESTS)
@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(("place", "service"), [cell for cell in OPEN if cell[0] != "none"])
def test_a_forged_signature_never_passes(place: str, service: str, said: str | None, method: str, url: str) -> None:
    forger = Credentials(ACCESS_KEY, "guessed")
    request = signed(method, url, BODY, place=place, service=service, said=said, credentials=forger)
    with pytest.raises(Fault) as caught:
        principal(looked_at(request, service))
    assert caught.value.status in (400, 403)


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("second", ["query", "query v2"])
def test_two_places_are_refused(said: str | None, second: str) -> None:
    scope = signed_scope(said=said or HEX)
    scope["query_string"] = signed_scope(place=second)["query_string"]
    with pytest.raises(InvalidArgument):
        looked_at(read_request(scope))


@pytest.mark.parametrize("name", ["X-Amz-Signature=x", "x-amz-credential=x", "X-AMZ-ALGORITHM=", "signature=1"])
def test_half_a_presigned_link_is_not_anonymous(name: str) -> None:
    with pytest.raises((AuthorizationQueryParametersError, InvalidRequest)):
        looked_at(signed(url=f"/pics/k?{name}", place="none"))


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("AWS AKIA:signature", InvalidRequest),
        ("Bearer token", AuthorizationHeaderMalformed),
        ("", AuthorizationHeaderMalformed),
        ("AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request", AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=" + "0" * 64, AuthorizationHeaderMalformed),
        (f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260102/us-east-1/s3/aws4_request, SignedHeaders=host;host, "
         "Signature=" + "0" * 64, AuthorizationHeaderMalformed),
    ],
)  # fmt: skip
def test_headers_that_are_not_version_4(header: str, fault: type[Fault]) -> None:
    scope = signed_scope(said=HEX)
    scope["headers"] = [(n, v) for n, v in scope["headers"] if n != b"authorization"]
    scope["headers"].append((b"authorization", header.encode()))
    with pytest.raises(fault):
        looked_at(read_request(scope))


@pytest.mark.parametrize("place", ["header", "query"])
def test_scope_of_another_day_region_or_service(place: str) -> None:
    said = HEX if place == "header" else None
    with pytest.raises(AuthorizationHeaderMalformed, match="expecting 'us-east-1'"):
        looked_at(signed(place=place, said=said, region="eu-west-1"))
    with pytest.raises(SignatureDoesNotMatch):
        looked_at(signed(place=place, said=said, service="sns"))
    with pytest.raises(SignatureDoesNotMatch):
        looked_at(signed(place=place, said=said, service="lambda", region="eu-west-1"), "lambda")
    scope = signed_scope(place=place, said=said)
    day = b"20260102/"
    scope["query_string"] = scope["query_string"].replace(b"%2F20260102%2F", b"%2F20260103%2F")
    scope["headers"] = [(n, v.replace(day, b"20260103/")) for n, v in scope["headers"]]
    with pytest.raises(SignatureDoesNotMatch):
        looked_at(read_request(scope))


@pytest.mark.parametrize(("off", "refused"), [(0, False), (899, False), (-899, False), (901, True), (-901, True)])
def test_skew(off: int, refused: bool) -> None:
    request = signed(said=HEX, when=NOW + off)
    if refused:
        with pytest.raises(RequestTimeTooSkewed):
            looked_at(request)
    else:
        assert principal(looked_at(request)) == ROOT


@pytest.mark.parametrize(
    ("expires", "fault"),
    [
        ("1", None),
        ("604800", None),
        ("0", RequestExpired),
        ("604801", AuthorizationQueryParametersError),
        ("-1", AuthorizationQueryParametersError),
        ("x", AuthorizationQueryParametersError),
        ("", AuthorizationQueryParametersError),
        ("1e3", AuthorizationQueryParametersError),
        ("9" * 30, AuthorizationQueryParametersError),
    ],
)
def test_how_long_a_link_may_live(expires: str, fault: type[Fault] | None) -> None:
    request = signed("GET", body=b"", place="query", expires=expires)
    if fault is None:
        assert principal(looked_at(request)) == ROOT
    else:
        with pytest.raises(fault):
            principal(looked_at(request))


@pytest.mark.parametrize("place", ["query", "query v2"])
@pytest.mark.parametrize(("after", "passes"), [(0, True), (599, True), (600, False), (10_000, False)])
def test_a_link_ends_when_it_said(place: str, after: int, passes: bool) -> None:
    request = signed("GET", body=b"", place=place, expires=600)
    if passes:
        assert principal(looked_at(request, now=NOW + after)) == ROOT
    else:
        with pytest.raises(RequestExpired):
            looked_at(request, now=NOW + after)


def test_a_link_from_the_future_is_refused() -> None:
    with pytest.raises(RequestExpired, match="not yet valid"):
        looked_at(signed("GET", body=b"", place="query", when=NOW + 1000))
    with pytest.raises(AuthorizationQueryParametersError, match="a week"):
        looked_at(signed("GET", body=b"", place="query v2", expires=700_000))


@pytest.mark.parametrize("place", ["header", "query", "query v2"])
def test_session_keys(place: str) -> None:
    said = HEX if place == "header" else None
    worker = Credentials("ASIAWORKER", "worker-secret", "tok/en+=")
    assert principal(looked_at(signed(place=place, said=said, credentials=worker))) == WORKER
    with pytest.raises(ExpiredToken):
        looked_at(signed(place=place, said=said, credentials=Credentials("ASIAOLD", "old-secret", "old")))
    for stranger in (Credentials("ASIAWORKER", "worker-secret"), Credentials(ACCESS_KEY, SECRET, "tok/en+=")):
        with pytest.raises(InvalidAccessKeyId):
            looked_at(signed(place=place, said=said, credentials=stranger))


@pytest.mark.parametrize("place", ["header", "query"])
def test_what_acts_has_to_be_signed(place: str) -> None:
    scope = signed_scope(place=place, said=HEX if place == "header" else None)
    scope["headers"].append((b"x-amz-acl", b"public-read"))
    with pytest.raises(AccessDenied, match="not signed: x-amz-acl"):
        looked_at(read_request(scope))


def test_a_version_2_link_covers_its_parameters() -> None:
    scope = signed_scope("GET", body=b"", place="query v2")
    for more in (b"&attributes", b"&retention", b"&list-type=2", b"&annotation=x"):
        with pytest.raises(AuthorizationQueryParametersError, match="does not cover"):
            looked_at(read_request({**scope, "query_string": scope["query_string"] + more}))
    for more in (b"&acl", b"&%61cl", b"&%75ploadId=u", b"&versionId=1", b"&x-amz-acl=public-read"):
        with pytest.raises(SignatureDoesNotMatch):
            principal(looked_at(read_request({**scope, "query_string": scope["query_string"] + more})))


PATHS = st.text(st.sampled_from("ab%2F/.~ +&=?#é日'()*!@:$,;"), min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(key=PATHS, prefix=PATHS, place=st.sampled_from(["header", "query"]), service=st.sampled_from(["s3", "lambda"]))
def test_any_path_and_query_is_verified_as_it_was_sent(key: str, prefix: str, place: str, service: str) -> None:
    from urllib.parse import quote

    url = f"/b/{quote(key, safe='/~')}?prefix={quote(prefix, safe='')}&list-type=2&acl"
    said = HEX if (place, service) == ("header", "s3") else None
    request = signed("PUT", url, BODY, place=place, service=service, said=said)
    if service == "s3" or is_plain_path(request.path):
        assert principal(looked_at(request, service)) == ROOT
        return
    with pytest.raises(SignatureDoesNotMatch, match="empty steps"):
        looked_at(request, service)


@pytest.mark.parametrize("more", ["/", "//", "/.", "/./", "/x/..", "/../f"])
def test_a_path_that_is_signed_like_another_one_is_refused(more: str) -> None:
    """A list of functions must not become a question for the function `.`: both are signed as the same path."""
    scope = signed_scope("GET", "/2015-03-31/functions/f", b"", service="lambda")
    scope["raw_path"] += more.encode()
    with pytest.raises(SignatureDoesNotMatch):
        principal(looked_at(read_request(scope), "lambda"))


SCOPES = {
    "header": signed_scope(url="/pics/a%20b.jpg?partNumber=1&uploadId=u", said=HEX, headers={"x-amz-meta-a": "b"}),
    "query": signed_scope("GET", "/pics/a%20b.jpg?versionId=1", b"", place="query"),
    "query v2": signed_scope("GET", "/pics/a%20b.jpg?versionId=1", b"", place="query v2"),
}


@settings(max_examples=600, deadline=None)
@given(place=st.sampled_from(sorted(SCOPES)), part=st.integers(0, 40), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_request_with_one_bit_changed_is_accepted(place: str, part: int, at: int, bit: int) -> None:
    scope = flipped(SCOPES[place], part, at, bit)
    try:
        request = read_request(scope)
        claim = looked_at(request)
        found = principal(claim)
    except (Fault, KeyError):
        return
    assert found == ANONYMOUS, "a changed request was taken for the original"


def flipped(scope: dict[str, Any], part: int, at: int, bit: int) -> dict[str, Any]:
    """One bit of the method, the path, the query or the value of a signed header."""
    fields = ["method", "raw_path", "query_string", *range(len(scope["headers"]))]
    field = fields[part % len(fields)]
    if isinstance(field, int):
        name, value = scope["headers"][field]
        # Version 2 does not sign the Host; the allow-list of hosts stands before it.
        unsigned = {b"content-length", b"user-agent"} | (
            {b"host"} if b"AWSAccessKeyId=" in scope["query_string"] else set()
        )
        if name in unsigned or not value:
            return flipped(scope, part + 1, at, bit)
        headers = list(scope["headers"])
        headers[field] = (name, flip(value, at, bit))
        return {**scope, "headers": headers}
    if field == "method":
        return {**scope, "method": flip(scope["method"].encode(), at, bit).decode("latin-1")}
    return {**scope, field: flip(scope[field], at, bit)} if scope[field] else flipped(scope, part + 1, at, bit)


def flip(value: bytes, at: int, bit: int) -> bytes:
    at %= len(value)
    return value[:at] + bytes([value[at] ^ (1 << bit)]) + value[at + 1 :]

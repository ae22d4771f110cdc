"""Which names are ours, who may write to us, and where a name stands for a bucket."""

from __future__ import annotations

from typing import Any

import pytest

from alight.errors.gateway import CrossOriginRequest, InvalidRequest, InvalidURI, MalformedHost, MisdirectedRequest
from alight.gateway.hosts import Hosts, configured_hosts
from alight.gateway.request import parse_host, read_request
from tests.unit.gateway.signing import signed_scope

HOSTS = Hosts(configured_hosts(("box.lan", "Edge.Example:8443", "[fd00::1]"), "https://alight.example/base"))
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"]


def scope(host: str | None = "127.0.0.1:4566", method: str = "GET", **headers: str) -> dict[str, Any]:
    found = signed_scope(method, "/", b"", place="none")
    found["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if host is not None:
        found["headers"].append((b"host", host.encode()))
    return found


@pytest.mark.parametrize("method", VERBS)
@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:4566", True),
        ("127.0.0.1:4566", True),
        ("[::1]:4566", True),
        ("pics.s3.localhost:4566", True),
        ("abc.execute-api.localhost:4566", True),
        ("box.lan", True),
        ("box.lan:80", True),
        ("pics.box.lan:80", True),
        ("edge.example:1", True),
        ("alight.example", True),
        ("pics.alight.example", True),
        ("[fd00::1]:99", True),
        ("localhost:4567", False),
        ("127.0.0.1:80", False),
        ("evil.example", False),
        ("evil.example:4566", False),
        ("localhost.evil.example", False),
        ("notlocalhost", False),
        ("evilbox.lan", False),
        ("127.0.0.2:4566", False),
        ("0.0.0.0:4566", False),
        ("[::ffff:127.0.0.1]:4566", False),
        ("[::]:4566", False),
        ("2130706433:4566", False),
        ("127.1:4566", False),
    ],
)
def test_the_allow_list_holds_for_every_verb(host: str, ours: bool, method: str) -> None:
    request = read_request(scope(host, method))
    if ours:
        HOSTS.check(request, 4566)
    else:
        with pytest.raises(MisdirectedRequest):
            HOSTS.check(request, 4566)


@pytest.mark.parametrize(
    "host",
    ["", "x/", "x?", "x#", "a b", "a,b", "user@localhost", "localhost:", "localhost:0", "localhost:99999",
     "localhost:x", "localhost:4566:1", "http://localhost", "[::1", "::1", "[zz]", ".localhost",
     "localhost.", "a..localhost", "löcal", "localhost\t", "%6cocalhost", "a" * 300],
)  # fmt: skip
def test_what_is_not_a_host(host: str) -> None:
    with pytest.raises(MalformedHost):
        parse_host(host)


def test_no_host_and_two_hosts() -> None:
    with pytest.raises(MalformedHost):
        read_request(scope(None))
    with pytest.raises(MalformedHost):
        read_request({**scope(), "headers": [(b"host", b"localhost"), (b"host", b"localhost")]})


@pytest.mark.parametrize(
    "name", ["authorization", "x-amz-content-sha256", "content-length", "x-amz-date", "x-amz-target"]
)
def test_headers_that_may_not_be_doubled(name: str) -> None:
    found = scope()
    found["headers"] += [(name.encode(), b"1"), (name.encode(), b"1")]
    with pytest.raises(InvalidRequest, match=name):
        read_request(found)


@pytest.mark.parametrize("path", [b"x", b"", b"http://a/", b"/%", b"/%g0", b"/a b", b"/\xff", b"/a#b", b"/\x00"])
def test_paths_that_can_be_read_in_two_ways(path: bytes) -> None:
    with pytest.raises(InvalidURI):
        read_request({**scope(), "raw_path": path})


@pytest.mark.parametrize("method", VERBS)
@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://127.0.0.1:4566"}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "null"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site"}, True),
        ({"origin": "http://127.0.0.1:4566", "sec_fetch_site": "cross-site"}, True),
    ],
)
def test_pages_of_others_may_not_write(method: str, headers: dict[str, str], foreign: bool) -> None:
    request = read_request(scope(method=method, **headers))
    if foreign and method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
        with pytest.raises(CrossOriginRequest):
            HOSTS.check_origin(request)
    else:
        HOSTS.check_origin(request)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost", None),
        ("127.0.0.1", None),
        ("[::1]", None),
        ("box.lan", None),
        ("s3.localhost", None),
        ("s3.us-east-1.localhost", None),
        ("s3.dualstack.us-east-1.localhost", None),
        ("s3-eu-west-1.localhost", None),
        ("pics.localhost", "pics"),
        ("my.dotted.pics.localhost", "my.dotted.pics"),
        ("pics.s3.localhost", "pics"),
        ("my.pics.s3.localhost", "my.pics"),
        ("pics.s3.eu-west-1.localhost", "pics"),
        ("pics.s3.box.lan", "pics"),
        ("pics.alight.example", "pics"),
        ("s3.s3.localhost", "s3"),
    ],
)
def test_where_a_name_stands_for_a_bucket(host: str, bucket: str | None) -> None:
    assert HOSTS.named(host).bucket == bucket

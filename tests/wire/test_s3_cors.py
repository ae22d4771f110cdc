"""Pages of other origins: what a bucket's rules let them do, and that they open nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire.running_s3 import Running, running_s3
from tests.wire.test_website import ask, open_up, refusal

PAGE = "https://app.example"
BUCKET = "shared"
RULES = [
    {
        "ID": "app",
        "AllowedOrigins": ["https://app.example", "https://*.app.example"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag", "x-amz-request-id"],
        "MaxAgeSeconds": 300,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("cors")) as running:
        s3 = running.client()
        for name in (BUCKET, "closed"):
            s3.create_bucket(Bucket=name)
            open_up(s3, name, "s3:GetObject", "s3:PutObject", "s3:ListBucket")
            s3.put_object(Bucket=name, Key="k", Body=b"x")
        s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": RULES})
        yield running


def preflight(here: Running, path: str, **headers: str) -> Any:
    return ask(here, path, "OPTIONS", **headers)


def test_a_preflight(here: Running) -> None:
    heard = preflight(
        here,
        f"/{BUCKET}/k",
        Origin=PAGE,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="content-type, X-Amz-Date",
    )
    assert (heard.status, heard.body) == (200, b"")
    told = {name: value for name, value in heard.headers.items() if name.startswith("access-control") or name == "vary"}
    assert told == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "content-type, x-amz-date",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "ETag, x-amz-request-id",
        "access-control-max-age": "300",
        "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        (f"/{BUCKET}/k", {}, 400, "Insufficient information. Origin request header needed."),
        (f"/{BUCKET}/k", {"Origin": PAGE}, 400, "Invalid Access-Control-Request-Method: null"),
        (f"/{BUCKET}/k", {"Origin": PAGE, "Access_Control_Request_Method": "PATCH"}, 400, "PATCH"),
        (f"/{BUCKET}/k", {"Origin": PAGE, "Access_Control_Request_Method": "DELETE"}, 403, "not allowed"),
        (f"/{BUCKET}/k", {"Origin": "https://evil.example", "Access_Control_Request_Method": "PUT"}, 403, "allowed"),
        (
            f"/{BUCKET}/k",
            {"Origin": PAGE, "Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-other"},
            403,
            "not allowed",
        ),
        ("/closed/k", {"Origin": PAGE, "Access_Control_Request_Method": "GET"}, 403, "CORS is not enabled"),
        ("/nowhere/k", {"Origin": PAGE, "Access_Control_Request_Method": "GET"}, 404, "NoSuchBucket"),
    ],
)  # fmt: skip
def test_preflights_that_are_refused(
    here: Running, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    heard = preflight(here, path, **headers)
    assert heard.status == status
    assert words in heard.text
    assert "access-control-allow-origin" not in heard.headers


def test_a_bucket_in_the_host(here: Running) -> None:
    host = f"{BUCKET}.s3.localhost"
    heard = ask(here, "/k", "OPTIONS", host=host, Origin=PAGE, Access_Control_Request_Method="PUT")
    assert (heard.status, heard.headers["access-control-allow-origin"]) == (200, PAGE)
    assert ask(here, "/k", host=host, Origin=PAGE).headers["access-control-allow-origin"] == PAGE
    assert ask(here, "/new", "PUT", host=host, Origin=PAGE).status == 200
    assert ask(here, "/new", "PUT", host=host, Origin="https://evil.example").status == 403


def test_what_goes_with_answers_and_errors(here: Running) -> None:
    for path, status in ((f"/{BUCKET}/k", 200), (f"/{BUCKET}/none", 404), (f"/{BUCKET}?list-type=2", 200)):
        heard = ask(here, path, Origin=PAGE)
        assert (heard.status, heard.headers["access-control-allow-origin"]) == (status, PAGE)
        assert heard.headers["vary"].startswith("Origin")
        anybody = ask(here, path, Origin="null")
        assert anybody.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in anybody.headers
    unsigned = ask(here, f"/{BUCKET}?acl", Origin=PAGE)
    assert (unsigned.status, unsigned.headers["access-control-allow-origin"]) == (403, PAGE)
    for path in ("/closed/k", "/nowhere/k", "/"):
        assert "access-control-allow-origin" not in ask(here, path, Origin=PAGE).headers
    assert "access-control-allow-origin" not in ask(here, f"/{BUCKET}/k").headers


@pytest.mark.parametrize(
    ("path", "method", "origin", "is_open"),
    [
        (f"/{BUCKET}/new", "PUT", PAGE, True),
        (f"/{BUCKET}/new", "PUT", "https://x.app.example", True),
        (f"/{BUCKET}/new", "PUT", "https://evil.example", False),
        (f"/{BUCKET}/new", "PUT", "null", False),
        (f"/{BUCKET}/new", "DELETE", PAGE, False),
        (f"/{BUCKET}/new", "POST", PAGE, False),
        ("/closed/new", "PUT", PAGE, False),
        ("/nowhere/new", "PUT", PAGE, False),
        ("/", "POST", PAGE, False),
    ],
)
def test_writes_of_other_origins(here: Running, path: str, method: str, origin: str, is_open: bool) -> None:
    heard = ask(here, path, method, Origin=origin, Sec_Fetch_Site="cross-site")
    if is_open:
        assert heard.status == 200
        assert heard.headers["access-control-allow-origin"] == origin
    else:
        assert heard.status == 403
        assert "page of another origin" in heard.text


def test_rules_open_one_bucket_and_no_other_service(here: Running) -> None:
    """The first step of another service's path may be a bucket's name: what counts is the operation."""
    s3 = here.client()
    name = "2015-03-31"
    s3.create_bucket(Bucket=name)
    everything = [
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT", "POST", "DELETE"], "AllowedHeaders": ["*"]}
    ]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": everything})
    scope = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
    heard = ask(here, f"/{name}/functions", "POST", Origin=PAGE, Authorization=scope)
    assert heard.status == 403
    assert "page of another origin" in heard.text
    assert "access-control-allow-origin" not in heard.headers
    assert ask(here, f"/{name}/functions", "PUT", Origin=PAGE).headers["access-control-allow-origin"] == "*"


def test_websites_follow_the_rules_too(here: Running) -> None:
    here.client().put_bucket_website(Bucket=BUCKET, WebsiteConfiguration={"IndexDocument": {"Suffix": "k"}})
    address = f"/_aws/s3-website/{BUCKET}/"
    assert ask(here, address, Origin=PAGE).headers["access-control-allow-origin"] == PAGE
    assert ask(here, address, "OPTIONS", Origin=PAGE, Access_Control_Request_Method="PUT").status == 200
    assert ask(here, address, "OPTIONS", Origin="x", Access_Control_Request_Method="PUT").status == 403


def test_the_configuration_comes_back(here: Running) -> None:
    s3 = here.client()
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == RULES
    assert refusal(s3.get_bucket_cors, Bucket="closed")[::2] == ("NoSuchCORSConfiguration", 404)
    s3.create_bucket(Bucket="brief")
    s3.put_bucket_cors(Bucket="brief", CORSConfiguration={"CORSRules": RULES[1:]})
    s3.delete_bucket_cors(Bucket="brief")
    assert refusal(s3.get_bucket_cors, Bucket="brief")[0] == "NoSuchCORSConfiguration"
    wrong = {"CORSRules": [{"AllowedOrigins": ["http://*.*"], "AllowedMethods": ["GET"]}]}
    assert refusal(s3.put_bucket_cors, Bucket="brief", CORSConfiguration=wrong)[:2] == (
        "InvalidRequest",
        'AllowedOrigin "http://*.*" can not have more than one wildcard.',
    )

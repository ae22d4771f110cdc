"""Websites and what is open to strangers, with boto3 on one side and bare HTTP on the other, over a real socket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectRow
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import client

OPEN_BLOCK = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}


@dataclass
class Heard:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(here: Running, path: str, method: str = "GET", host: str = "", **headers: str) -> Heard:
    """A request as it is written here, unsigned."""
    connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{host}:{here.port}" if host else f"127.0.0.1:{here.port}")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if method in ("PUT", "POST"):
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        return Heard(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
    finally:
        connection.close()


def allow(bucket: str, *actions: str, **more: Any) -> str:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": resources, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def open_up(s3: Any, bucket: str, *actions: str, **more: Any) -> None:
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN_BLOCK)
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, *actions or ("s3:GetObject",), **more))


def refusal(call: Any, **given: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as told:
        call(**given)
    error = told.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def s3(here: Running) -> Any:
    return here.client()


SITE = "pages.of.mine"


@pytest.fixture(scope="module")
def site(s3: Any) -> str:
    """A public website with a few pages; its name has dots."""
    s3.create_bucket(Bucket=SITE)
    open_up(s3, SITE, "s3:GetObject", "s3:ListBucket")
    s3.put_bucket_website(
        Bucket=SITE,
        WebsiteConfiguration={
            "IndexDocument": {"Suffix": "index.html"},
            "ErrorDocument": {"Key": "wrong.html"},
            "RoutingRules": [
                {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}},
                {
                    "Condition": {"KeyPrefixEquals": "lost/", "HttpErrorCodeReturnedEquals": "404"},
                    "Redirect": {"ReplaceKeyWith": "found.html", "HttpRedirectCode": "307"},
                },
                {
                    "Condition": {"KeyPrefixEquals": "away/"},
                    "Redirect": {"HostName": "example.com", "Protocol": "https", "ReplaceKeyPrefixWith": ""},
                },
            ],
        },
    )
    for key, text, kind in (
        ("index.html", "<h1>home</h1>", "text/html; charset=utf-8"),
        ("wrong.html", "<h1>lost</h1>", "text/html"),
        ("docs/index.html", "<h1>docs</h1>", "text/html"),
        ("new/a b.txt", "moved", "text/plain"),
        ("lost/here.txt", "here", "text/plain"),
        ("style.css", "body {}", "text/css"),
    ):
        s3.put_object(Bucket=SITE, Key=key, Body=text.encode(), ContentType=kind, CacheControl="max-age=60")
    s3.put_object(Bucket=SITE, Key="goes", WebsiteRedirectLocation="/docs/?a=b")
    s3.put_object(Bucket=SITE, Key="leaves", WebsiteRedirectLocation="https://example.com/x")
    return SITE


HOSTS = [
    f"{SITE}.s3-website.localhost",
    f"{SITE}.s3-website-us-east-1.localhost",
    f"{SITE}.s3-website.us-east-1.localhost",
]


@pytest.fixture(params=["", *HOSTS])
def host(request: pytest.FixtureRequest) -> str:
    """The website by path (nothing) and by each of its hosts."""
    return str(request.param)


def at(host: str, path: str) -> str:
    return path if host else f"/_aws/s3-website/{SITE}{path}"


@pytest.mark.usefixtures("site")
class TestPages:
    """What a visitor gets, by path and by Host."""

    def test_index_documents(self, here: Running, host: str) -> None:
        home = ask(here, at(host, "/"), host=host)
        assert (home.status, home.text) == (200, "<h1>home</h1>")
        assert home.headers["content-type"] == "text/html; charset=utf-8"
        assert home.headers["cache-control"] == "max-age=60"
        assert home.headers["content-length"] == "13"
        assert home.headers["x-amz-request-id"]
        assert ask(here, at(host, "/docs/"), host=host).text == "<h1>docs</h1>"
        assert ask(here, at(host, "/?x=1"), host=host).text == "<h1>home</h1>"

    def test_a_folder_without_its_slash(self, here: Running, host: str) -> None:
        moved = ask(here, at(host, "/docs"), host=host)
        assert (moved.status, moved.headers["location"]) == (302, at(host, "/docs/"))

    def test_what_is_not_there(self, here: Running, host: str) -> None:
        lost = ask(here, at(host, "/nothing/here"), host=host)
        assert (lost.status, lost.text) == (404, "<h1>lost</h1>")
        assert lost.headers["content-type"] == "text/html"

    def test_rules_and_redirects(self, here: Running, host: str) -> None:
        def leads(path: str) -> tuple[int, str | None]:
            heard = ask(here, at(host, path), host=host)
            return heard.status, heard.headers.get("location")

        assert leads("/old/a%20b.txt") == (301, at(host, "/new/a%20b.txt"))
        assert leads("/lost/x") == (307, at(host, "/found.html"))
        assert leads("/lost/here.txt") == (200, None)
        assert leads("/away/x/y") == (301, "https://example.com/x/y")
        assert leads("/goes") == (301, at(host, "/docs/?a=b"))
        assert leads("/leaves") == (301, "https://example.com/x")

    def test_conditions_ranges_and_heads(self, here: Running, host: str) -> None:
        whole = ask(here, at(host, "/style.css"), host=host)
        etag, modified = whole.headers["etag"], whole.headers["last-modified"]
        same = ask(here, at(host, "/style.css"), host=host, If_None_Match=etag)
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
        assert ask(here, at(host, "/style.css"), host=host, If_Modified_Since=modified).status == 304
        part = ask(here, at(host, "/style.css"), host=host, Range="bytes=0-3")
        assert (part.status, part.body, part.headers["content-range"]) == (206, b"body", "bytes 0-3/7")
        assert ask(here, at(host, "/style.css"), host=host, Range="bytes=99-").status == 416
        assert ask(here, at(host, "/style.css"), host=host, If_Match='"other"').status == 412
        head = ask(here, at(host, "/style.css"), "HEAD", host=host)
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "7")
        assert ask(here, at(host, "/nothing"), "HEAD", host=host).status == 404

    def test_other_verbs(self, here: Running, host: str) -> None:
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            heard = ask(here, at(host, "/index.html"), method, host=host)
            assert heard.status == 405
            assert "<li>Code: MethodNotAllowed</li>" in heard.text
            assert heard.headers["allow"] == "GET, HEAD"

    def test_broken_paths(self, here: Running, host: str) -> None:
        assert ask(here, at(host, "/%ff"), host=host).status == 400
        assert ask(here, at(host, "/%00"), host=host).status == 400
        assert ask(here, at(host, "/" + "k" * 1100), host=host).status == 400
        assert ask(here, at(host, "/../../x"), host=host).status == 404


@pytest.mark.usefixtures("site")
def test_only_the_shared_origin_is_sandboxed(here: Running) -> None:
    for path in ("/", "/nothing", "/docs", "/old/x", "/%ff"):
        policy = ask(here, at("", path)).headers["content-security-policy"]
        assert policy.split()[0] == "sandbox"
        assert "allow-same-origin" not in policy
        assert "escape" not in policy
        assert "content-security-policy" not in ask(here, path, host=HOSTS[0]).headers


@pytest.mark.usefixtures("site")
def test_nobody_of_another_origin_reads_without_a_rule(here: Running) -> None:
    own = f"http://127.0.0.1:{here.port}/"
    for origin in ("null", "http://evil.example", own[:-1]):
        for host, path in (("", at("", "/style.css")), (HOSTS[0], "/style.css")):
            heard = ask(here, path, host=host, Origin=origin, Referer=own)
            assert "access-control-allow-origin" not in heard.headers
            assert heard.headers["vary"] == "Origin"


def test_the_bare_name_leads_to_its_root(here: Running, site: str) -> None:
    heard = ask(here, f"/_aws/s3-website/{site}?a=1")
    assert (heard.status, heard.headers["location"]) == (302, f"/_aws/s3-website/{site}/?a=1")


def test_pages_of_our_own(here: Running, s3: Any) -> None:
    missing = ask(here, "/_aws/s3-website/no-such-bucket/")
    assert missing.status == 404
    assert "<li>Code: NoSuchBucket</li>" in missing.text
    assert "<li>BucketName: no-such-bucket</li>" in missing.text
    s3.create_bucket(Bucket="no-website")
    open_up(s3, "no-website")
    plain = ask(here, "/_aws/s3-website/no-website/index.html")
    assert plain.status == 404
    assert "<li>Code: NoSuchWebsiteConfiguration</li>" in plain.text
    s3.put_bucket_website(
        Bucket="no-website",
        WebsiteConfiguration={"IndexDocument": {"Suffix": "i.html"}, "ErrorDocument": {"Key": "e.html"}},
    )
    # Nobody may list it, so nobody is told what is missing.
    closed = ask(here, "/_aws/s3-website/no-website/<script>")
    assert closed.status == 403
    assert closed.text.startswith("<html>\n<head><title>403 Forbidden</title></head>")
    assert "An Error Occurred While Attempting to Retrieve a Custom Error Document" in closed.text
    assert closed.headers["x-amz-error-code"] == "AccessDenied"
    open_up(s3, "no-website", "s3:GetObject", "s3:ListBucket")
    told = ask(here, "/_aws/s3-website/no-website/%3Cscript%3E")
    assert told.status == 404
    assert "<li>Key: &lt;script&gt;</li>" in told.text
    assert f"<li>RequestId: {told.headers['x-amz-request-id']}</li>" in told.text
    assert f"<li>HostId: {told.headers['x-amz-id-2']}</li>" in told.text


def test_everything_may_lead_elsewhere(here: Running, s3: Any) -> None:
    s3.create_bucket(Bucket="elsewhere")
    target = {"HostName": "example.com", "Protocol": "https"}
    s3.put_bucket_website(Bucket="elsewhere", WebsiteConfiguration={"RedirectAllRequestsTo": target})
    heard = ask(here, "/_aws/s3-website/elsewhere/a/b%20c")
    assert (heard.status, heard.headers["location"]) == (301, "https://example.com/a/b%20c")


def test_a_large_object_is_streamed(here: Running, s3: Any, site: str) -> None:
    body = bytes(range(256)) * 40_000
    s3.put_object(Bucket=site, Key="large", Body=body)
    assert ask(here, at("", "/large")).body == body


def test_a_key_that_looks_like_a_host_stays_here(here: Running, s3: Any, site: str) -> None:
    s3.put_object(Bucket=site, Key="/evil.example/index.html", Body=b"x")
    heard = ask(here, "//evil.example", host=HOSTS[0])
    assert heard.headers["location"] == f"http://{HOSTS[0]}:{here.port}//evil.example/"


@given(key=st.text(min_size=1, max_size=60))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_key_is_served_at_its_address(here: Running, s3: Any, site: str, key: str) -> None:
    """What can be put can be seen, by path and by Host, whatever its key looks like."""
    assume("\x00" not in key and not key.endswith("/"))
    try:
        body = f"body of {key}".encode()
        s3.put_object(Bucket=site, Key=key, Body=body)
    except (UnicodeEncodeError, ClientError):
        assume(False)
    address = quote(key, safe="")
    assume(address not in (".", ".."))
    assert ask(here, at("", f"/{address}")).body == body
    assert ask(here, f"/{address}", host=HOSTS[0]).body == body
    s3.delete_object(Bucket=site, Key=key)


def test_private_pages(here: Running, s3: Any) -> None:
    s3.create_bucket(Bucket="private-site")
    s3.put_bucket_website(Bucket="private-site", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket="private-site", Key="index.html", Body=b"secret")
    for path in ("/", "/index.html", "/nothing"):
        heard = ask(here, f"/_aws/s3-website/private-site{path}")
        assert heard.status == 403
        assert b"secret" not in heard.body
    open_up(s3, "private-site")
    assert ask(here, "/_aws/s3-website/private-site/").body == b"secret"
    s3.put_public_access_block(
        Bucket="private-site", PublicAccessBlockConfiguration=OPEN_BLOCK | {"RestrictPublicBuckets": True}
    )
    assert ask(here, "/_aws/s3-website/private-site/").status == 403


def test_the_configuration_comes_back(s3: Any, site: str) -> None:
    shown = s3.get_bucket_website(Bucket=site)
    assert shown["IndexDocument"] == {"Suffix": "index.html"}
    assert len(shown["RoutingRules"]) == 3
    s3.create_bucket(Bucket="come-and-go")
    assert refusal(s3.get_bucket_website, Bucket="come-and-go")[::2] == ("NoSuchWebsiteConfiguration", 404)
    s3.put_bucket_website(Bucket="come-and-go", WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
    s3.delete_bucket_website(Bucket="come-and-go")
    assert refusal(s3.get_bucket_website, Bucket="come-and-go")[0] == "NoSuchWebsiteConfiguration"


def test_policies_and_blocks(s3: Any) -> None:
    s3.create_bucket(Bucket="policies")
    policy = allow("policies", "s3:GetObject")
    assert refusal(s3.get_bucket_policy, Bucket="policies")[::2] == ("NoSuchBucketPolicy", 404)
    assert s3.get_public_access_block(Bucket="policies")["PublicAccessBlockConfiguration"] == dict.fromkeys(
        OPEN_BLOCK, True
    )
    code, message, status = refusal(s3.put_bucket_policy, Bucket="policies", Policy=policy)
    assert (code, status) == ("AccessDenied", 403)
    assert message.endswith("because public policies are blocked by the BlockPublicPolicy block public access setting.")
    s3.put_public_access_block(Bucket="policies", PublicAccessBlockConfiguration=OPEN_BLOCK)
    s3.put_bucket_policy(Bucket="policies", Policy=policy)
    assert s3.get_bucket_policy(Bucket="policies")["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket="policies")["PolicyStatus"] == {"IsPublic": True}
    s3.delete_public_access_block(Bucket="policies")
    absent = "NoSuchPublicAccessBlockConfiguration"
    assert refusal(s3.get_public_access_block, Bucket="policies")[::2] == (absent, 404)
    s3.put_public_access_block(Bucket="policies", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert s3.get_bucket_policy_status(Bucket="policies")["PolicyStatus"] == {"IsPublic": True}
    s3.delete_bucket_policy(Bucket="policies")
    assert refusal(s3.get_bucket_policy_status, Bucket="policies")[0] == "NoSuchBucketPolicy"


def test_ownership_and_acls(here: Running, s3: Any) -> None:
    s3.create_bucket(Bucket="lists")
    given = {"Bucket": "lists", "Key": "k"}
    assert refusal(s3.put_object, **given, ACL="public-read") == (
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
        400,
    )
    s3.put_object(**given, ACL="bucket-owner-full-control")
    s3.put_bucket_ownership_controls(Bucket="lists", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    code, message, status = refusal(s3.put_object, **given, ACL="public-read")
    assert (code, status) == ("AccessDenied", 403)
    assert "BlockPublicAcls" in message
    s3.put_public_access_block(Bucket="lists", PublicAccessBlockConfiguration=OPEN_BLOCK)
    s3.put_object(**given, Body=b"open", ACL="public-read")
    s3.put_bucket_acl(Bucket="lists", ACL="public-read")
    assert [grant["Permission"] for grant in s3.get_object_acl(**given)["Grants"]] == ["FULL_CONTROL", "READ"]
    assert ask(here, "/lists/k").body == b"open"
    assert ask(here, "/lists").status == 200
    code = refusal(
        s3.put_bucket_ownership_controls,
        Bucket="lists",
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )[0]
    assert code == "InvalidBucketAclWithObjectOwnership"
    s3.put_object(**given, Body=b"closed again")
    assert ask(here, "/lists/k").status == 403
    s3.put_bucket_acl(Bucket="lists", ACL="private")
    assert ask(here, "/lists").status == 403
    s3.delete_bucket_ownership_controls(Bucket="lists")
    assert refusal(s3.get_bucket_ownership_controls, Bucket="lists")[::2] == ("OwnershipControlsNotFoundError", 404)


def test_copies_and_uploads_in_parts_have_their_own_acl(here: Running, s3: Any) -> None:
    s3.create_bucket(Bucket="copies", ObjectOwnership="BucketOwnerPreferred")
    s3.put_public_access_block(Bucket="copies", PublicAccessBlockConfiguration=OPEN_BLOCK)
    s3.put_object(Bucket="copies", Key="a", Body=b"a", ACL="public-read")
    s3.copy_object(Bucket="copies", Key="b", CopySource="copies/a")
    s3.copy_object(Bucket="copies", Key="c", CopySource="copies/b", ACL="public-read")
    upload = s3.create_multipart_upload(Bucket="copies", Key="d", ACL="public-read")["UploadId"]
    part = s3.upload_part(Bucket="copies", Key="d", UploadId=upload, PartNumber=1, Body=b"d")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="copies", Key="d", UploadId=upload, MultipartUpload=parts)
    assert [ask(here, f"/copies/{key}").status for key in "abcd"] == [200, 403, 200, 200]


def test_settings_survive(tmp_path: Path) -> None:
    with running_s3(tmp_path) as before:
        writer = before.client()
        writer.create_bucket(Bucket="kept")
        open_up(writer, "kept")
        writer.put_bucket_website(Bucket="kept", WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
        writer.put_object(Bucket="kept", Key="i", Body=b"still here")
    with running_s3(tmp_path) as after:
        assert ask(after, "/_aws/s3-website/kept/").body == b"still here"


ROLE = "arn:aws:iam::000000000000:role"


@pytest.fixture
def worker(here: Running) -> Iterator[Any]:
    """Signs as the role `r`, which starts without any policy."""
    here.policies.clear()
    keys = {"access_key": "ASIASESSION", "secret_key": "session-secret", "aws_session_token": "session-token"}
    here.clients.append(client("s3", here.port, config={"s3": {"addressing_style": "path"}}, **keys))
    yield here.clients[-1]
    here.policies.clear()


@pytest.mark.parametrize(
    ("principal", "is_allowed"),
    [
        ({"AWS": f"{ROLE}/r"}, True),
        ({"AWS": f"{ROLE}/service/path/r"}, True),
        ({"AWS": "arn:aws:sts::000000000000:assumed-role/r/s"}, True),
        ("*", True),
        ({"AWS": f"{ROLE}/other"}, False),
        ({"AWS": "arn:aws:iam::111111111111:role/r"}, False),
        # The account alone hands the decision to the role's own policies.
        ({"AWS": "arn:aws:iam::000000000000:root"}, False),
        ({"AWS": "000000000000"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
    ],
)
def test_a_policy_allows_a_role(here: Running, s3: Any, worker: Any, principal: Any, is_allowed: bool) -> None:
    s3.create_bucket(Bucket="for-roles")
    s3.put_object(Bucket="for-roles", Key="k", Body=b"x")
    open_up(s3, "for-roles", Principal=principal)
    if is_allowed:
        assert worker.get_object(Bucket="for-roles", Key="k")["Body"].read() == b"x"
        return
    code, message, status = refusal(worker.get_object, Bucket="for-roles", Key="k")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        "User: arn:aws:sts::000000000000:assumed-role/r/s is not authorized to perform: s3:GetObject on resource: "
        "arn:aws:s3:::for-roles/k because no identity-based policy allows the s3:GetObject action"
    )
    here.policies.append({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
    assert worker.get_object(Bucket="for-roles", Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize(
    ("statement", "is_denied"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": f"{ROLE}/r"}}, True),
        ({"Principal": {"AWS": "000000000000"}}, True),
        ({"NotPrincipal": {"AWS": f"{ROLE}/other"}}, True),
        ({"NotPrincipal": {"AWS": f"{ROLE}/r"}}, False),
        ({"Principal": {"AWS": f"{ROLE}/other"}}, False),
        ({"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
    ],
)
def test_a_policy_denies_a_role(here: Running, s3: Any, worker: Any, statement: Any, is_denied: bool) -> None:
    s3.create_bucket(Bucket="denied")
    s3.put_object(Bucket="denied", Key="k", Body=b"x")
    here.policies.append({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
    whole = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::denied/*", **statement}
    s3.put_bucket_policy(Bucket="denied", Policy=json.dumps({"Version": "2012-10-17", "Statement": whole}))
    if not is_denied:
        assert worker.get_object(Bucket="denied", Key="k")["Body"].read() == b"x"
        return
    assert refusal(worker.get_object, Bucket="denied", Key="k")[1].endswith(
        "with an explicit deny in a resource-based policy"
    )
    copied = refusal(worker.copy_object, Bucket="for-roles-2", Key="k", CopySource="denied/k")
    assert copied[1].endswith("on resource: arn:aws:s3:::denied/k with an explicit deny in a resource-based policy")


def test_a_page_that_is_replaced_between_two_looks_is_shown_as_it_is_then(
    here: Running, s3: Any, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, late, seen = ObjectStore.get, list[ObjectRow | None](), list[ObjectRow | None]()

    def get(*asked: Any, **more: Any) -> ObjectRow | None:
        seen.append(late.pop() if late else look(*asked, **more))
        return seen[-1]

    monkeypatch.setattr(ObjectStore, "get", get)
    address = f"/_aws/s3-website/{site}/news.html"
    s3.put_object(Bucket=site, Key="news.html", Body=b"before")
    assert ask(here, address).text == "before"
    before = seen[-1]
    s3.put_object(Bucket=site, Key="news.html", Body=b"after")
    late.append(before)
    heard = ask(here, address)
    assert (heard.status, heard.text, late) == (200, "after", [])

"""The grid of what is open to strangers: every unsigned operation, under every mixture of policy, ACLs and block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.wire.running_s3 import Running, running_s3
from tests.wire.test_website import OPEN_BLOCK, allow, ask

#: Operation -> verb, address and the action that a policy has to allow.
OPERATIONS = {
    "GetObject": ("GET", "/{}/k", "s3:GetObject"),
    "HeadObject": ("HEAD", "/{}/k", "s3:GetObject"),
    "ListObjects": ("GET", "/{}", "s3:ListBucket"),
    "ListObjectsV2": ("GET", "/{}?list-type=2", "s3:ListBucket"),
    "HeadBucket": ("HEAD", "/{}", "s3:ListBucket"),
    "PutObject": ("PUT", "/{}/new", "s3:PutObject"),
    "DeleteObject": ("DELETE", "/{}/gone", "s3:DeleteObject"),
    "GetObjectTagging": ("GET", "/{}/k?tagging", ""),
    "PutBucketPolicy": ("PUT", "/{}?policy", ""),
    "DeleteBucket": ("DELETE", "/{}", ""),
}
READS_BY_OBJECT_ACL = {"GetObject", "HeadObject"}
READS_BY_BUCKET_ACL = {"ListObjects", "ListObjectsV2", "HeadBucket"}


@dataclass(frozen=True)
class Bucket:
    """One mixture, and what of it is in force."""

    name: str
    has_policy: bool
    has_acls: bool
    block: dict[str, bool]
    ownership: str = "ObjectWriter"

    @property
    def policy_holds(self) -> bool:
        return self.has_policy and not self.block["RestrictPublicBuckets"]

    @property
    def acls_hold(self) -> bool:
        return self.has_acls and not self.block["IgnorePublicAcls"] and self.ownership == "ObjectWriter"


ALL_ON = dict.fromkeys(OPEN_BLOCK, True)
BUCKETS = [
    Bucket("nothing", False, False, OPEN_BLOCK),
    Bucket("policy", True, False, OPEN_BLOCK),
    Bucket("acls", False, True, OPEN_BLOCK),
    Bucket("both", True, True, OPEN_BLOCK),
    Bucket("policy-restricted", True, False, OPEN_BLOCK | {"RestrictPublicBuckets": True}),
    Bucket("policy-blocked-later", True, False, OPEN_BLOCK | {"BlockPublicPolicy": True}),
    Bucket("acls-ignored", False, True, OPEN_BLOCK | {"IgnorePublicAcls": True}),
    Bucket("acls-blocked-later", False, True, OPEN_BLOCK | {"BlockPublicAcls": True}),
    Bucket("both-restricted", True, True, OPEN_BLOCK | {"RestrictPublicBuckets": True}),
    Bucket("both-ignored", True, True, OPEN_BLOCK | {"IgnorePublicAcls": True}),
    Bucket("both-all-on", True, True, ALL_ON),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("grid")) as running:
        s3 = running.client()
        for bucket in BUCKETS:
            s3.create_bucket(Bucket=bucket.name, ObjectOwnership=bucket.ownership)
            s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=OPEN_BLOCK)
            acl = {"ACL": "public-read"} if bucket.has_acls else {}
            s3.put_object(Bucket=bucket.name, Key="k", Body=b"x", **acl)
            if bucket.has_acls:
                s3.put_bucket_acl(Bucket=bucket.name, ACL="public-read")
            if bucket.has_policy:
                actions = sorted({action for _, _, action in OPERATIONS.values() if action})
                s3.put_bucket_policy(Bucket=bucket.name, Policy=allow(bucket.name, *actions))
            s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=bucket.block)
        for name in ("told", "asked"):
            s3.create_bucket(Bucket=name)
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=OPEN_BLOCK)
            s3.put_object(Bucket=name, Key="k", Body=b"x")
        yield running


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: bucket.name)
def test_what_a_stranger_may(here: Running, bucket: Bucket, operation: str) -> None:
    method, path, action = OPERATIONS[operation]
    heard = ask(here, path.format(bucket.name), method)
    by_acl = bucket.acls_hold and operation in READS_BY_OBJECT_ACL | READS_BY_BUCKET_ACL
    if (action and bucket.policy_holds) or by_acl:
        assert heard.status in (200, 204)
        return
    assert heard.status == 403
    if method != "HEAD" and action:
        assert "<Code>AccessDenied</Code><Message>Access Denied</Message>" in heard.text


@pytest.mark.parametrize(
    ("actions", "key", "status"),
    [
        (("s3:GetObject",), "k", 200),
        (("s3:GetObject",), "none", 403),
        (("s3:GetObject", "s3:ListBucket"), "none", 404),
        (("s3:ListBucket",), "none", 403),
        (("s3:ListBucket",), "k", 403),
    ],
)
def test_a_missing_key_is_told_to_those_who_may_list(
    here: Running, actions: tuple[str, ...], key: str, status: int
) -> None:
    s3 = here.client()
    s3.put_bucket_policy(Bucket="told", Policy=allow("told", *actions))
    for method in ("GET", "HEAD"):
        assert ask(here, f"/told/{key}", method).status == status


def test_a_missing_bucket_is_told_to_everybody(here: Running) -> None:
    heard = ask(here, "/no-such-bucket/k")
    assert heard.status == 404
    assert "<Code>NoSuchBucket</Code>" in heard.text
    assert ask(here, "/no-such-bucket").status == 404


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.1"}}, 200),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, 403),
        ({"StringLike": {"aws:Referer": "http://mine.example/*"}}, 403),
        ({"StringEquals": {"aws:PrincipalType": "Anonymous"}}, 200),
        ({"StringEquals": {"aws:PrincipalArn": "anonymous"}}, 403),
        ({"Bool": {"aws:SecureTransport": "true"}}, 200),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, 200),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, 403),
    ],
)
def test_conditions(here: Running, condition: dict[str, object], status: int) -> None:
    s3 = here.client()
    s3.put_bucket_policy(Bucket="asked", Policy=allow("asked", "s3:GetObject", Condition=condition))
    assert ask(here, "/asked/k").status == status
    s3.delete_bucket_policy(Bucket="asked")


def test_a_listing_within_a_prefix(here: Running) -> None:
    s3 = here.client()
    within = {"StringEquals": {"s3:prefix": ["open/", ""]}}
    s3.put_bucket_policy(Bucket="asked", Policy=allow("asked", "s3:ListBucket", Condition=within))
    assert ask(here, "/asked?prefix=open/").status == 200
    assert ask(here, "/asked?prefix=").status == 200
    assert ask(here, "/asked?prefix=other/").status == 403
    assert ask(here, "/asked").status == 403
    s3.delete_bucket_policy(Bucket="asked")


def test_a_policy_of_a_fixed_network_is_not_public(here: Running) -> None:
    """So the block lets it be put, and RestrictPublicBuckets does not touch it."""
    s3 = here.client()
    s3.create_bucket(Bucket="network")
    s3.put_object(Bucket="network", Key="k", Body=b"x")
    inside = {"IpAddress": {"aws:SourceIp": ["127.0.0.1/32"]}}
    s3.put_bucket_policy(Bucket="network", Policy=allow("network", "s3:GetObject", Condition=inside))
    assert ask(here, "/network/k").status == 200
    assert s3.get_bucket_policy_status(Bucket="network")["PolicyStatus"] == {"IsPublic": False}


def test_a_stranger_does_not_choose_the_headers_of_an_answer(here: Running) -> None:
    """Else a link would make a page, or a download, of whatever bytes a bucket shows."""
    s3 = here.client()
    s3.put_bucket_policy(Bucket="asked", Policy=allow("asked", "s3:GetObject"))
    for method in ("GET", "HEAD"):
        assert ask(here, "/asked/k", method).status == 200
        for name in ("content-type", "content-disposition", "cache-control", "expires"):
            assert ask(here, f"/asked/k?response-{name}=text/html", method).status == 400
    told = ask(here, "/asked/k?response-content-type=text/html").text
    assert "<Code>InvalidRequest</Code>" in told
    assert "cannot be used for anonymous GET requests" in told
    signed = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "asked", "Key": "k", "ResponseContentType": "a/b"}
    )
    assert ask(here, signed.partition(str(here.port))[2]).headers["content-type"] == "a/b"
    s3.delete_bucket_policy(Bucket="asked")

"""Buckets that are shared: in which order what opens and what closes them is put, and what outputs show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.calls import Members
from alight.stacks.addresses import Owned, localised
from alight.stacks.outputs import outputs
from tests.unit.stacks.scene import Scene, resource

BASE = "http://127.0.0.1:4566"
OPEN = {"BlockPublicPolicy": False, "RestrictPublicBuckets": "false"}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::site/*"}],
}


def template(**resources: Members) -> str:
    return json.dumps({"Resources": resources})


def shared(**properties: Any) -> dict[str, Any]:
    return resource("AWS::S3::Bucket", BucketName="site", **properties)


def policy(bucket: Any = None) -> dict[str, Any]:
    return resource("AWS::S3::BucketPolicy", Bucket=bucket or {"Ref": "Site"}, PolicyDocument=POLICY)


async def test_a_website_in_members_of_the_operations(scene: Scene) -> None:
    rule = {
        "RoutingRuleCondition": {"KeyPrefixEquals": "a/", "HttpErrorCodeReturnedEquals": 404},
        "RedirectRule": {"ReplaceKeyWith": "b", "HttpRedirectCode": 302},
    }
    website = {"IndexDocument": "index.html", "ErrorDocument": "wrong.html", "RoutingRules": [rule]}
    cors = {"Id": "1", "AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposedHeaders": ["ETag"], "MaxAge": "5"}
    await scene.apply(template(Site=shared(WebsiteConfiguration=website, CorsConfiguration={"CorsRules": [cors]})))
    assert scene.services.given("PutBucketWebsite")["WebsiteConfiguration"] == {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "wrong.html"},
        "RoutingRules": [
            {
                "Condition": {"KeyPrefixEquals": "a/", "HttpErrorCodeReturnedEquals": "404"},
                "Redirect": {"ReplaceKeyWith": "b", "HttpRedirectCode": "302"},
            }
        ],
    }
    (given,) = scene.services.given("PutBucketCors")["CORSConfiguration"]["CORSRules"]
    assert given == {
        "ID": "1",
        "AllowedMethods": ["GET"],
        "AllowedOrigins": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 5,
    }
    everywhere = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    await scene.apply(template(Site=shared(WebsiteConfiguration=everywhere)))
    assert scene.services.given("PutBucketWebsite")["WebsiteConfiguration"] == everywhere
    assert "DeleteBucketCors" in scene.services.operations()
    await scene.apply(template(Site=shared()))
    assert "DeleteBucketWebsite" in scene.services.operations()


async def test_the_policy_comes_after_the_block(scene: Scene) -> None:
    await scene.apply(template(Anybody=policy(), Site=shared(PublicAccessBlockConfiguration=OPEN)))
    asked = scene.services.operations()
    assert asked.index("PutPublicAccessBlock") < asked.index("PutBucketPolicy")
    assert scene.services.given("PutPublicAccessBlock")["PublicAccessBlockConfiguration"] == {
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
    }
    assert scene.services.given("PutBucketPolicy")["Bucket"] == "site"


async def test_what_leaves_the_template_closes_the_bucket(scene: Scene) -> None:
    await scene.apply(template(Site=shared(PublicAccessBlockConfiguration=OPEN), Anybody=policy()))
    await scene.apply(template(Site=shared()))
    asked = scene.services.operations()
    assert asked == ["PutPublicAccessBlock", "DeleteBucketPolicy"]
    block = scene.services.given("PutPublicAccessBlock")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert len(block) == 4


async def test_acls_go_before_the_rule_that_would_not_have_them(scene: Scene) -> None:
    writers = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    await scene.apply(template(Site=shared(AccessControl="PublicRead", OwnershipControls=writers)))
    asked = scene.services.operations()
    assert asked.index("PutBucketOwnershipControls") < asked.index("PutBucketAcl")
    assert scene.services.given("PutBucketAcl")["ACL"] == "public-read"
    await scene.apply(template(Site=shared()))
    assert scene.services.operations() == ["PutBucketAcl", "PutBucketOwnershipControls"]
    assert scene.services.given("PutBucketAcl")["ACL"] == "private"
    (rule,) = scene.services.given("PutBucketOwnershipControls")["OwnershipControls"]["Rules"]
    assert rule == {"ObjectOwnership": "BucketOwnerEnforced"}


async def test_a_plain_bucket_needs_nothing_of_this(scene: Scene) -> None:
    await scene.apply(template(Site=shared()))
    assert scene.services.operations() == ["CreateBucket"]


async def test_outputs_lead_to_the_website(scene: Scene) -> None:
    text = """\
Resources:
  Site: {Type: AWS::S3::Bucket, Properties: {BucketName: site.of.mine, WebsiteConfiguration: {IndexDocument: i}}}
Outputs:
  Url: {Value: !GetAtt Site.WebsiteURL}
  Spelt: {Value: !Sub "http://${Site}.s3-website-${AWS::Region}.amazonaws.com/docs"}
  Dotted: {Value: !Sub "https://${Site}.s3-website.${AWS::Region}.${AWS::URLSuffix}"}
  Domain: {Value: !GetAtt Site.RegionalDomainName}
  Dual: {Value: !GetAtt Site.DualStackDomainName}
  Foreign: {Value: http://other.s3-website-us-east-1.amazonaws.com}
"""
    await scene.apply(text)
    assert await outputs(scene.records, BASE) == {
        "Url": f"{BASE}/_aws/s3-website/site.of.mine",
        "Spelt": f"{BASE}/_aws/s3-website/site.of.mine/docs",
        "Dotted": f"{BASE}/_aws/s3-website/site.of.mine",
        "Domain": "site.of.mine.s3.us-east-1.amazonaws.com",
        "Dual": "site.of.mine.s3.dualstack.us-east-1.amazonaws.com",
        "Foreign": "http://other.s3-website-us-east-1.amazonaws.com",
    }


@pytest.mark.parametrize(
    "value",
    [
        7,
        None,
        ["http://other.s3-website-us-east-1.amazonaws.com"],
        "http://site.s3-website-us-east-1.amazonaws.com.evil",
    ],
)
def test_other_values_stay(value: Any) -> None:
    assert localised(value, Owned(buckets=frozenset({"site"})), BASE) == value

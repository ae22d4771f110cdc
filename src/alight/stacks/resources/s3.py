"""AWS::S3::Bucket: CreateBucket, PutBucketNotificationConfiguration, DeleteBucket."""

from __future__ import annotations

from typing import Any

from alight import names
from alight.calls import Members
from alight.errors import Fault
from alight.names import REGION
from alight.stacks.provider import Kept, Named, Naming, Provider, Work
from alight.stacks.resources.values import tag_list


async def _create(work: Work) -> None:
    await work.call("s3", "CreateBucket", Bucket=work.name)
    await _update(work)


async def _update(work: Work) -> None:
    if work.changed("Tags"):
        tags = tag_list(work.properties, "TagSet")
        if tags:
            await work.call("s3", "PutBucketTagging", Bucket=work.name, Tagging=tags)
        elif work.before:
            await work.call("s3", "DeleteBucketTagging", Bucket=work.name)
    if work.changed("NotificationConfiguration"):
        await _notify(work)


async def _notify(work: Work) -> None:
    wanted = work.properties.get("NotificationConfiguration") or {}
    configuration = {
        "LambdaFunctionConfigurations": _rules(wanted, "LambdaConfigurations", "Function", "LambdaFunctionArn"),
        "TopicConfigurations": _rules(wanted, "TopicConfigurations", "Topic", "TopicArn"),
        "QueueConfigurations": _rules(wanted, "QueueConfigurations", "Queue", "QueueArn"),
    }
    given = {kind: rules for kind, rules in configuration.items() if rules}
    await work.call("s3", "PutBucketNotificationConfiguration", Bucket=work.name, NotificationConfiguration=given)


def _rules(wanted: Members, section: str, target: str, member: str) -> list[Members]:
    """CloudFormation's rule, one event each, in the members of the operation."""
    return [
        {member: rule[target], "Events": [rule["Event"]]} | _filter(rule.get("Filter"))
        for rule in wanted.get(section) or []
    ]


def _filter(wanted: Any) -> Members:
    rules = ((wanted or {}).get("S3Key") or {}).get("Rules") or []
    return {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}


async def _delete(work: Work) -> None:
    try:
        await work.quietly("s3", "DeleteBucket", Bucket=work.name)
    except Fault as fault:
        if fault.code != "BucketNotEmpty":
            raise
        raise Kept(
            f"the bucket {work.name} holds objects and stays; remove it with `aws s3 rb --force s3://{work.name}`."
        ) from None


def _attributes(one: Named) -> Members:
    return {
        "Ref": one.name,
        "Arn": names.bucket_arn(one.name),
        "DomainName": f"{one.name}.s3.amazonaws.com",
        "RegionalDomainName": f"{one.name}.s3.{REGION}.amazonaws.com",
        "WebsiteURL": f"http://{one.name}.s3-website-{REGION}.amazonaws.com",
    }


BUCKET = Provider(
    type="AWS::S3::Bucket",
    naming=Naming("BucketName", 63),
    create=_create,
    update=_update,
    delete=_delete,
    attributes=_attributes,
    replaced_by=frozenset({"BucketName"}),
    needs=(("s3", "CreateBucket"), ("s3", "PutBucketNotificationConfiguration"), ("s3", "DeleteBucket")),
)

PROVIDERS = (BUCKET,)

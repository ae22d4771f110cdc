"""AWS::S3::Bucket and ::BucketPolicy: CreateBucket and what is put on it, PutBucketPolicy.

What opens a bucket comes after what blocks it: the access block and the ownership rule are the bucket's own, the policy
is a resource that needs it.
"""

from __future__ import annotations

from typing import Any

from alight import names
from alight.calls import Members
from alight.errors import Fault
from alight.names import REGION
from alight.stacks.provider import Kept, Named, Naming, Provider, Work
from alight.stacks.resources.s3_lifecycle import lifecycle_rule
from alight.stacks.resources.values import as_document, tag_list


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
    if work.changed("VersioningConfiguration"):
        await _keep_versions(work)
    if work.changed("LifecycleConfiguration"):
        await _let_expire(work)
    await _share(work)
    if work.changed("CorsConfiguration"):
        await _allow_origins(work)
    if work.changed("WebsiteConfiguration"):
        await _serve(work)
    if work.changed("NotificationConfiguration"):
        await _notify(work)


async def _keep_versions(work: Work) -> None:
    """A template that no longer speaks of versions ends the making of new ones, as on AWS."""
    wanted = work.properties.get("VersioningConfiguration") or {"Status": "Suspended"}
    await work.call("s3", "PutBucketVersioning", Bucket=work.name, VersioningConfiguration=wanted)


async def _let_expire(work: Work) -> None:
    wanted = work.properties.get("LifecycleConfiguration")
    if wanted is None:
        await work.call("s3", "DeleteBucketLifecycle", Bucket=work.name)
        return
    rules = {"Rules": [lifecycle_rule(rule) for rule in wanted.get("Rules") or []]}
    await work.call("s3", "PutBucketLifecycleConfiguration", Bucket=work.name, LifecycleConfiguration=rules)


async def _share(work: Work) -> None:
    """Block, ownership and ACL; a public ACL goes before the rule that would not have it, and comes after."""
    private = work.properties.get("AccessControl", "Private") != "PublicRead"
    acl_changed = work.changed("AccessControl") and (not private or bool(work.before))
    if acl_changed and private:
        await work.call("s3", "PutBucketAcl", Bucket=work.name, ACL="private")
    if work.changed("PublicAccessBlockConfiguration"):
        block = work.properties.get("PublicAccessBlockConfiguration")
        # No block in the template is a new bucket's: everything blocked.
        given = dict.fromkeys(_FLAGS, True) if block is None else block
        await work.call("s3", "PutPublicAccessBlock", Bucket=work.name, PublicAccessBlockConfiguration=given)
    if work.changed("OwnershipControls"):
        controls = work.properties.get("OwnershipControls") or {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        await work.call("s3", "PutBucketOwnershipControls", Bucket=work.name, OwnershipControls=controls)
    if acl_changed and not private:
        await work.call("s3", "PutBucketAcl", Bucket=work.name, ACL="public-read")


_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_CORS_MEMBERS = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}


async def _allow_origins(work: Work) -> None:
    wanted = work.properties.get("CorsConfiguration")
    if wanted is None:
        await work.call("s3", "DeleteBucketCors", Bucket=work.name)
        return
    rules = [{_CORS_MEMBERS.get(name, name): value for name, value in rule.items()} for rule in wanted["CorsRules"]]
    await work.call("s3", "PutBucketCors", Bucket=work.name, CORSConfiguration={"CORSRules": rules})


async def _serve(work: Work) -> None:
    wanted = work.properties.get("WebsiteConfiguration")
    if wanted is None:
        await work.call("s3", "DeleteBucketWebsite", Bucket=work.name)
        return
    given: Members = {name: wanted[name] for name in ("RedirectAllRequestsTo",) if name in wanted}
    if "IndexDocument" in wanted:
        given["IndexDocument"] = {"Suffix": wanted["IndexDocument"]}
    if "ErrorDocument" in wanted:
        given["ErrorDocument"] = {"Key": wanted["ErrorDocument"]}
    if wanted.get("RoutingRules"):
        given["RoutingRules"] = [_routing(rule) for rule in wanted["RoutingRules"]]
    await work.call("s3", "PutBucketWebsite", Bucket=work.name, WebsiteConfiguration=given)


def _routing(rule: Members) -> Members:
    condition = rule.get("RoutingRuleCondition")
    return {"Redirect": rule["RedirectRule"]} | ({"Condition": condition} if condition else {})


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
        "DualStackDomainName": f"{one.name}.s3.dualstack.{REGION}.amazonaws.com",
        "RegionalDomainName": f"{one.name}.s3.{REGION}.amazonaws.com",
        "WebsiteURL": f"{one.base_url}/_aws/s3-website/{one.name}",
    }


async def _put_policy(work: Work) -> None:
    document = as_document(work.properties["PolicyDocument"])
    await work.call("s3", "PutBucketPolicy", Bucket=work.properties["Bucket"], Policy=document)


async def _delete_policy(work: Work) -> None:
    await work.quietly("s3", "DeleteBucketPolicy", Bucket=work.properties["Bucket"])


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

BUCKET_POLICY = Provider(
    type="AWS::S3::BucketPolicy",
    naming=Naming(),
    create=_put_policy,
    update=_put_policy,
    delete=_delete_policy,
    attributes=lambda one: {"Ref": one.name},
    replaced_by=frozenset({"Bucket"}),
    needs=(("s3", "PutBucketPolicy"), ("s3", "DeleteBucketPolicy")),
)

PROVIDERS = (BUCKET, BUCKET_POLICY)

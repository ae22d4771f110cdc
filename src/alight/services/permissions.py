"""Which permissions an operation needs: IAM's action names on the ARNs that the request is about.

Most operations need the action of their own name. The tables hold what differs: other names (HeadObject needs
`s3:GetObject`), several resources (CopyObject, DeleteObjects), and how a request spells the resource.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from alight import names
from alight.calls import Members
from alight.parsed import parsed
from alight.services.iam.needs import iam_needs
from alight.services.passing import passed_role

Needs = list[tuple[str, str]]
Rule = Callable[[str, Members], Needs]

#: Services whose IAM prefix is not their name.
_PREFIXES = {"sagemaker-runtime": "sagemaker"}


def needs(service: str, operation: str, given: Members) -> Needs:
    """`(action, resource ARN)` of everything that one request needs; empty where no permission is needed."""
    rule = _RULES.get(service)
    own = rule(operation, given) if rule is not None else [(f"{_PREFIXES.get(service, service)}:{operation}", "*")]
    passed = passed_role(service, operation, given)
    return [*own, ("iam:PassRole", passed[0])] if passed else own


def condition_keys(service: str, operation: str, given: Members) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that a request gives: the service's own, and its tags."""
    found: dict[str, str | tuple[str, ...]] = {**_tag_keys(given)}
    if passed := passed_role(service, operation, given):
        found["iam:PassedToService"] = passed[1]
    for key, member in _OTHER_KEYS.get(service, ()):
        if given.get(member) is not None:
            found[key] = str(given[member])
    if service == "s3":
        found |= {
            key: str(given[member]).lower() if isinstance(given[member], bool) else str(given[member])
            for key, member, operations in _S3_KEYS
            if given.get(member) is not None and (not operations or operation in operations)
        }
    return found


def _tag_keys(given: Members) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/KEY` and `aws:TagKeys`, however the service spells its tags."""
    tags = given.get("Tags") or given.get("tags") or {}
    if isinstance(tags, list):
        tags = {one.get("Key", one.get("key")): one.get("Value", one.get("value", "")) for one in tags}
    names_of = [*tags, *(given.get("TagKeys") or given.get("tagKeys") or ())]
    pairs: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{key}": str(value) for key, value in tags.items()}
    return pairs | {"aws:TagKeys": tuple(map(str, names_of))} if names_of else {}


#: Of services but S3: (condition key, member).
_OTHER_KEYS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "iam": (("iam:PolicyARN", "PolicyArn"),),
    "sts": (("sts:ExternalId", "ExternalId"), ("sts:RoleSessionName", "RoleSessionName")),
}


# S3 ------------------------------------------------------------------------------------------------------------------

_S3_ACTIONS: Mapping[str, str] = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketNotification": "GetBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
}
#: Actions that have a twin for a named version of the object.
_S3_VERSIONED = frozenset(
    {"GetObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging"}
    | {"DeleteObjectTagging", "GetObjectAttributes"}
)


_LISTS = ("ListObjects", "ListObjectsV2", "ListObjectVersions")
#: (condition key, member, the operations of which it is a key; none: of all).
_S3_KEYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("s3:prefix", "Prefix", _LISTS),
    ("s3:delimiter", "Delimiter", _LISTS),
    ("s3:max-keys", "MaxKeys", _LISTS),
    ("s3:VersionId", "VersionId", ()),
    ("s3:x-amz-acl", "ACL", ()),
    ("s3:x-amz-copy-source", "CopySource", ()),
    ("s3:x-amz-metadata-directive", "MetadataDirective", ()),
    ("s3:x-amz-server-side-encryption", "ServerSideEncryption", ()),
    ("s3:x-amz-storage-class", "StorageClass", ()),
)


def _s3(operation: str, given: Members) -> Needs:
    bucket, key = given.get("Bucket", ""), given.get("Key", "")
    resource = names.bucket_arn(bucket, key) if bucket else "*"
    if operation in ("CopyObject", "UploadPartCopy"):
        return [_copied(given["CopySource"]), *_written(operation, given, resource)]
    if operation in ("PutObject", "CreateMultipartUpload"):
        return _written(operation, given, resource)
    if operation == "DeleteObjects":
        return [_deleted(bucket, one) for one in (given.get("Delete") or {}).get("Objects") or []]
    action = _s3_action(_S3_ACTIONS.get(operation, operation), given.get("VersionId"))
    if operation == "GetObjectAttributes":
        return [(action, resource), (_s3_action("GetObject", given.get("VersionId")), resource)]
    return [(action, resource)]


def _s3_action(action: str, version: str | None) -> str:
    if version is None or action not in _S3_VERSIONED:
        return f"s3:{action}"
    verb, _, rest = action.partition("Object")
    return f"s3:{verb}ObjectVersion{rest}"


def _written(operation: str, given: Members, resource: str) -> Needs:
    """What a new object needs; tags and access lists that come with it are permissions of their own."""
    extra = [("s3:PutObjectTagging", resource)] if given.get("Tagging") else []
    grants = [name for name in given if name.startswith("Grant") and given[name]]
    extra += [("s3:PutObjectAcl", resource)] if given.get("ACL") or grants else []
    return [("s3:PutObject", resource), *(extra if operation != "UploadPartCopy" else [])]


def _copied(source: str | Members) -> tuple[str, str]:
    if isinstance(source, dict):
        bucket, key, version = source["Bucket"], source["Key"], source.get("VersionId")
    else:
        path, _, query = source.partition("?versionId=")
        bucket, _, key = unquote(path.removeprefix("/")).removeprefix("/").partition("/")
        version = query or None
    return _s3_action("GetObject", version), names.bucket_arn(bucket, key)


def _deleted(bucket: str, one: Members) -> tuple[str, str]:
    return _s3_action("DeleteObject", one.get("VersionId")), names.bucket_arn(bucket, one.get("Key", ""))


# Lambda --------------------------------------------------------------------------------------------------------------

_LAMBDA_ACTIONS = {
    "Invoke": "InvokeFunction",
    "GetLayerVersionByArn": "GetLayerVersion",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}


def _lambda(operation: str, given: Members) -> Needs:
    resource = _function(given) if "FunctionName" in given else "*"
    if operation in ("CreateEventSourceMapping", "ListEventSourceMappings"):
        # Mappings are made and listed in the account, whatever function they wake.
        resource = "*"
    if "UUID" in given:
        resource = str(names.Arn("lambda", f"event-source-mapping:{given['UUID']}"))
    if "LayerName" in given and operation != "ListLayerVersions":
        resource = _layer(given)
    resource = given.get("Arn") or given.get("Resource") or resource
    needed = [(f"lambda:{_LAMBDA_ACTIONS.get(operation, operation)}", resource)]
    needed += [("lambda:GetLayerVersion", layer) for layer in given.get("Layers") or ()]
    for source in (given, given.get("Code") or {}, given.get("Content") or {}):
        if source.get("S3Bucket") and source.get("S3Key"):
            action = _s3_action("GetObject", source.get("S3ObjectVersion"))
            needed.append((action, names.bucket_arn(source["S3Bucket"], source["S3Key"])))
    return needed


_BEFORE_FUNCTION = re.compile(r"\A(?:arn:aws:lambda:[a-z0-9-]+:)?\d{12}:function:")


def _layer(given: Members) -> str:
    """The ARN behind a layer's name or ARN, with the version that is asked for."""
    arn = str(names.Arn("lambda", f"layer:{given['LayerName'].rpartition(':')[2]}"))
    return f"{arn}:{given['VersionNumber']}" if "VersionNumber" in given else arn


def _function(given: Members) -> str:
    """The ARN behind a name, a partial ARN or an ARN."""
    # Only what stands before a name goes: `my-function:live` is an alias of my-function.
    name, _, own = _BEFORE_FUNCTION.sub("", given["FunctionName"]).partition(":")
    return names.function_arn(name, given.get("Qualifier") or own)


# SNS, SQS ------------------------------------------------------------------------------------------------------------


def _sns(operation: str, given: Members) -> Needs:
    action = f"sns:{operation.removesuffix('Batch')}"
    if "SubscriptionArn" in given:
        return [(action, given["SubscriptionArn"].rpartition(":")[0] or "*")]
    if operation == "CreateTopic":
        return [(action, names.topic_arn(given.get("Name", "")))]
    return [(action, given.get("TopicArn") or given.get("TargetArn") or given.get("ResourceArn") or "*")]


#: What moving messages does to the queue that they leave.
_MOVES = ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def _sqs(operation: str, given: Members) -> Needs:
    if operation == "StartMessageMoveTask":
        target = given.get("DestinationArn")
        return [(f"sqs:{action}", given["SourceArn"]) for action in _MOVES] + (
            [("sqs:SendMessage", target)] if target else []
        )
    name = given.get("QueueName") or names.queue_in(str(given.get("QueueUrl") or ""))
    resource = names.queue_arn(name) if name else given.get("SourceArn") or _moved(given.get("TaskHandle") or "")
    return [(f"sqs:{operation.removesuffix('Batch')}", resource)]


def _moved(handle: str) -> str:
    """The queue of a message move task; its handle is readable."""
    try:
        return str(parsed(base64.b64decode(handle))["sourceArn"])
    except (ValueError, KeyError, TypeError):
        return "*"


# SageMaker -----------------------------------------------------------------------------------------------------------

#: (member, the beginning of the ARN of what it names)
_SAGEMAKER_RESOURCES = tuple(
    (member, str(names.Arn("sagemaker", f"{kind}/")))
    for member, kind in (
        ("EndpointName", "endpoint"),
        ("EndpointConfigName", "endpoint-config"),
        ("ModelName", "model"),
    )
)


def _sagemaker(operation: str, given: Members) -> Needs:
    resources = [arn + given[member].lower() for member, arn in _SAGEMAKER_RESOURCES if given.get(member)]
    resources = resources or [given.get("ResourceArn", "*")]
    needed = [(f"sagemaker:{operation}", resource) for resource in resources]
    if operation.startswith("Create") and given.get("Tags"):
        needed.append(("sagemaker:AddTags", resources[0]))
    return needed


# Logs ----------------------------------------------------------------------------------------------------------------


def _logs(operation: str, given: Members) -> Needs:
    """A live tail is of several groups; tags are of what an ARN names."""
    one = given.get("logGroupName") or given.get("logGroupIdentifier") or given.get("resourceArn") or ""
    groups = [
        group.rpartition("log-group:")[2].removesuffix(":*") for group in given.get("logGroupIdentifiers") or [one]
    ]
    stream = given.get("logStreamName") or ""
    return [(f"logs:{operation}", str(names.Arn("logs", f"log-group:{group}:log-stream:{stream}"))) for group in groups]


# CloudWatch ----------------------------------------------------------------------------------------------------------


def _cloudwatch(operation: str, given: Members) -> Needs:
    """Alarms are resources; metrics are not. What is asked of all alarms is asked of each."""
    alarms = [*(given.get("AlarmNames") or []), *([given["AlarmName"]] if given.get("AlarmName") else [])]
    resources = [str(names.Arn("cloudwatch", f"alarm:{name}")) for name in alarms]
    every = str(names.Arn("cloudwatch", "alarm:*")) if operation.startswith("DescribeAlarm") else "*"
    return [(f"cloudwatch:{operation}", resource) for resource in resources or [given.get("ResourceARN", every)]]


# STS -----------------------------------------------------------------------------------------------------------------


def _sts(operation: str, given: Members) -> Needs:
    if operation in ("GetCallerIdentity", "GetSessionToken"):
        return []  # everybody may ask who they are, and for a while be it by another key
    return [(f"sts:{operation}", given.get("RoleArn", "*"))]


# CloudFormation ------------------------------------------------------------------------------------------------------

_OF_NO_STACK = ("ListExports", "ListImports", "ListStacks", "ValidateTemplate")


def _cloudformation(operation: str, given: Members) -> Needs:
    name = given.get("StackName") or ""
    if operation in _OF_NO_STACK or not name:
        return [(f"cloudformation:{operation}", "*")]
    resource = name if name.startswith("arn:") else str(names.Arn("cloudformation", f"stack/{name}/*"))
    return [(f"cloudformation:{operation}", resource)]


# API Gateway: actions are HTTP's verbs, resources are the paths of its own API ---------------------------------------

_VERBS = {
    "Create": "POST",
    "Delete": "DELETE",
    "Get": "GET",
    "Import": "POST",
    "Put": "PUT",
    "Reimport": "PUT",
    "Tag": "PUT",
    "Untag": "DELETE",
    "Update": "PATCH",
}
_METHOD = "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"
_REST_PATHS = {
    "Account": "/account",
    "Authorizer": "/restapis/{restApiId}/authorizers/{authorizerId}",
    "Deployment": "/restapis/{restApiId}/deployments/{deploymentId}",
    "Integration": f"{_METHOD}/integration",
    "IntegrationResponse": f"{_METHOD}/integration/responses/{{statusCode}}",
    "Method": _METHOD,
    "MethodResponse": f"{_METHOD}/responses/{{statusCode}}",
    "Resource": "/restapis/{restApiId}/resources/{resourceId}",
    "RestApi": "/restapis/{restApiId}",
    "Stage": "/restapis/{restApiId}/stages/{stageName}",
    "Tags": "/tags/{resourceArn}",
}
_HTTP_PATHS = {
    "Api": "/apis/{ApiId}",
    "Authorizer": "/apis/{ApiId}/authorizers/{AuthorizerId}",
    "CorsConfiguration": "/apis/{ApiId}/cors",
    "Deployment": "/apis/{ApiId}/deployments/{DeploymentId}",
    "Integration": "/apis/{ApiId}/integrations/{IntegrationId}",
    "Route": "/apis/{ApiId}/routes/{RouteId}",
    "Stage": "/apis/{ApiId}/stages/{StageName}",
    "Tags": "/tags/{ResourceArn}",
}
_OTHER_VERBS = {("apigatewayv2", "ImportApi"): "PUT", ("apigatewayv2", "TagResource"): "POST"}


def _apis(service: str, paths: Mapping[str, str]) -> Rule:
    def rule(operation: str, given: Members) -> Needs:
        prefix = next(prefix for prefix in _VERBS if operation.startswith(prefix))
        noun = "Tags" if prefix in ("Tag", "Untag") else operation.removeprefix(prefix)
        path = paths.get(noun) or paths[noun.removesuffix("s")]
        if operation == "CreateResource":
            path = path.replace("{resourceId}", "{parentId}")
        elif prefix == "Create":
            # What is made is made in its collection, whatever it is going to be called.
            path = path.rpartition("/")[0]
        filled = re.sub(r"\{(\w+)\}", lambda match: str(given.get(match[1], "")), path).rstrip("/")
        verb = _OTHER_VERBS.get((service, operation), _VERBS[prefix])
        return [(f"apigateway:{verb}", str(names.Arn("apigateway", filled, account="")))]

    return rule


_RULES: Mapping[str, Rule] = {
    "apigateway": _apis("apigateway", _REST_PATHS),
    "apigatewayv2": _apis("apigatewayv2", _HTTP_PATHS),
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "iam": iam_needs,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _s3,
    "sagemaker": _sagemaker,
    "sagemaker-runtime": _sagemaker,
    "sns": _sns,
    "sqs": _sqs,
    "sts": _sts,
}

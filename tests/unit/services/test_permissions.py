from __future__ import annotations

from typing import Any

import pytest

from alight.services.permissions import needs

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
ROLE = "arn:aws:iam::000000000000:role/r"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000"
LOGS = "arn:aws:logs:us-east-1:000000000000:log-group"
OBJECT = {"Bucket": "b", "Key": "k/1"}


@pytest.mark.parametrize(
    ("service", "operation", "given", "wanted"),
    [
        ("s3", "GetObject", OBJECT, ["s3:GetObject arn:aws:s3:::b/k/1"]),
        ("s3", "GetObject", {**OBJECT, "VersionId": "v"}, ["s3:GetObjectVersion arn:aws:s3:::b/k/1"]),
        ("s3", "HeadObject", OBJECT, ["s3:GetObject arn:aws:s3:::b/k/1"]),
        ("s3", "PutObject", OBJECT, ["s3:PutObject arn:aws:s3:::b/k/1"]),
        (
            "s3",
            "PutObject",
            {**OBJECT, "Tagging": "a=b", "ACL": "private"},
            [f"s3:{action} arn:aws:s3:::b/k/1" for action in ("PutObject", "PutObjectTagging", "PutObjectAcl")],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
        ("s3", "HeadBucket", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
        ("s3", "ListBuckets", {}, ["s3:ListAllMyBuckets *"]),
        ("s3", "CreateBucket", {"Bucket": "b"}, ["s3:CreateBucket arn:aws:s3:::b"]),
        (
            "s3",
            "CopyObject",
            {**OBJECT, "CopySource": "/src/a%20b?versionId=v1"},
            ["s3:GetObjectVersion arn:aws:s3:::src/a b", "s3:PutObject arn:aws:s3:::b/k/1"],
        ),
        (
            "s3",
            "UploadPartCopy",
            {**OBJECT, "CopySource": {"Bucket": "src", "Key": "a"}},
            ["s3:GetObject arn:aws:s3:::src/a", "s3:PutObject arn:aws:s3:::b/k/1"],
        ),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "v"}]}},
            ["s3:DeleteObject arn:aws:s3:::b/x", "s3:DeleteObjectVersion arn:aws:s3:::b/y"],
        ),
        ("s3", "CreateMultipartUpload", OBJECT, ["s3:PutObject arn:aws:s3:::b/k/1"]),
        ("s3", "UploadPart", OBJECT, ["s3:PutObject arn:aws:s3:::b/k/1"]),
        ("s3", "CompleteMultipartUpload", OBJECT, ["s3:PutObject arn:aws:s3:::b/k/1"]),
        ("s3", "AbortMultipartUpload", OBJECT, ["s3:AbortMultipartUpload arn:aws:s3:::b/k/1"]),
        ("s3", "ListParts", OBJECT, ["s3:ListMultipartUploadParts arn:aws:s3:::b/k/1"]),
        ("s3", "PutBucketNotificationConfiguration", {"Bucket": "b"}, ["s3:PutBucketNotification arn:aws:s3:::b"]),
        ("s3", "GetBucketCors", {"Bucket": "b"}, ["s3:GetBucketCORS arn:aws:s3:::b"]),
        ("s3", "GetObjectTagging", OBJECT, ["s3:GetObjectTagging arn:aws:s3:::b/k/1"]),
        ("lambda", "Invoke", {"FunctionName": "f"}, [f"lambda:InvokeFunction {FUNCTION}"]),
        ("lambda", "Invoke", {"FunctionName": f"{FUNCTION}:live"}, [f"lambda:InvokeFunction {FUNCTION}:live"]),
        ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "2"}, [f"lambda:InvokeFunction {FUNCTION}:2"]),
        ("lambda", "ListFunctions", {}, ["lambda:ListFunctions *"]),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": ROLE},
            [f"lambda:CreateFunction {FUNCTION}", f"iam:PassRole {ROLE}"],
        ),
        ("sns", "Publish", {"TopicArn": TOPIC}, [f"sns:Publish {TOPIC}"]),
        ("sns", "Publish", {"TargetArn": TOPIC}, [f"sns:Publish {TOPIC}"]),
        ("sns", "Publish", {"PhoneNumber": "+1"}, ["sns:Publish *"]),
        ("sns", "PublishBatch", {"TopicArn": TOPIC}, [f"sns:Publish {TOPIC}"]),
        ("sns", "CreateTopic", {"Name": "t"}, [f"sns:CreateTopic {TOPIC}"]),
        ("sns", "Unsubscribe", {"SubscriptionArn": f"{TOPIC}:1"}, [f"sns:Unsubscribe {TOPIC}"]),
        ("sqs", "SendMessageBatch", {"QueueUrl": "http://h:1/000000000000/q"}, [f"sqs:SendMessage {QUEUE}"]),
        ("sqs", "DeleteMessageBatch", {"QueueUrl": "http://h:1/000000000000/q"}, [f"sqs:DeleteMessage {QUEUE}"]),
        ("sqs", "GetQueueUrl", {"QueueName": "q"}, [f"sqs:GetQueueUrl {QUEUE}"]),
        ("sqs", "ListQueues", {}, ["sqs:ListQueues *"]),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            {"EndpointName": "Birds"},
            [f"sagemaker:InvokeEndpoint {SAGEMAKER}:endpoint/birds"],
        ),
        (
            "sagemaker",
            "CreateEndpoint",
            {"EndpointName": "e", "EndpointConfigName": "c"},
            [f"sagemaker:CreateEndpoint {SAGEMAKER}:{name}" for name in ("endpoint/e", "endpoint-config/c")],
        ),
        (
            "sagemaker",
            "CreateModel",
            {"ModelName": "m", "ExecutionRoleArn": ROLE},
            [f"sagemaker:CreateModel {SAGEMAKER}:model/m", f"iam:PassRole {ROLE}"],
        ),
        ("sagemaker", "ListModels", {}, ["sagemaker:ListModels *"]),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/aws/lambda/f", "logStreamName": "s"},
            [f"logs:PutLogEvents {LOGS}:/aws/lambda/f:log-stream:s"],
        ),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupIdentifier": f"{LOGS}:g"},
            [f"logs:FilterLogEvents {LOGS}:g:log-stream:"],
        ),
        ("iam", "GetRole", {"RoleName": "r"}, [f"iam:GetRole {ROLE}"]),
        ("iam", "ListRoles", {}, ["iam:ListRoles *"]),
        ("sts", "GetCallerIdentity", {}, []),
        ("sts", "AssumeRole", {"RoleArn": ROLE}, [f"sts:AssumeRole {ROLE}"]),
        ("cloudwatch", "PutMetricData", {"Namespace": "n"}, ["cloudwatch:PutMetricData *"]),
    ],
)
def test_what_each_operation_needs(service: str, operation: str, given: dict[str, Any], wanted: list[str]) -> None:
    assert [f"{action} {resource}" for action, resource in needs(service, operation, given)] == wanted

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader

from alight.services.apigateway.service import TABLE as REST
from alight.services.apigatewayv2.service import TABLE as HTTP
from alight.services.permissions import needs

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
IAM = "arn:aws:iam::000000000000"
ROLE = "arn:aws:iam::000000000000:role/r"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000"
ALARM = "arn:aws:cloudwatch:us-east-1:000000000000:alarm"
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
        (
            "iam",
            "UpdateUser",
            {"UserName": "bob", "NewUserName": "rob"},
            [f"iam:UpdateUser {IAM}:user/{n}" for n in ("bob", "rob")],
        ),
        (
            "iam",
            "UpdateUser",
            {"UserName": "bob", "Path": "/x/", "NewPath": "/y/"},
            [f"iam:UpdateUser {IAM}:user/{name}" for name in ("x/bob", "y/bob")],
        ),
        ("iam", "UpdateUser", {"UserName": "bob"}, [f"iam:UpdateUser {IAM}:user/bob"]),
        (
            "iam",
            "UpdateGroup",
            {"GroupName": "a", "NewGroupName": "b", "NewPath": "/y/"},
            [f"iam:UpdateGroup {IAM}:group/{name}" for name in ("a", "y/b")],
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
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Layers": ["arn:l:1"], "Code": {"S3Bucket": "b", "S3Key": "k"}},
            [
                "lambda:CreateFunction arn:aws:lambda:us-east-1:000000000000:function:f",
                "lambda:GetLayerVersion arn:l:1",
                "s3:GetObject arn:aws:s3:::b/k",
            ],
        ),
        (
            "lambda",
            "DeleteLayerVersion",
            {"LayerName": "l", "VersionNumber": 2},
            ["lambda:DeleteLayerVersion arn:aws:lambda:us-east-1:000000000000:layer:l:2"],
        ),
        ("lambda", "GetLayerVersionByArn", {"Arn": "arn:l:1"}, ["lambda:GetLayerVersion arn:l:1"]),
        ("lambda", "Invoke", {"FunctionName": "f"}, [f"lambda:InvokeFunction {FUNCTION}"]),
        ("lambda", "Invoke", {"FunctionName": f"{FUNCTION}:live"}, [f"lambda:InvokeFunction {FUNCTION}:live"]),
        ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "2"}, [f"lambda:InvokeFunction {FUNCTION}:2"]),
        ("lambda", "Invoke", {"FunctionName": "a-function:f"}, [f"lambda:InvokeFunction {FUNCTION[:-1]}a-function:f"]),
        (
            "lambda",
            "DeleteFunction",
            {"FunctionName": f"{FUNCTION[:-1]}function:f"},
            [f"lambda:DeleteFunction {FUNCTION[:-1]}function:f"],
        ),
        ("lambda", "Invoke", {"FunctionName": "000000000000:function:f"}, [f"lambda:InvokeFunction {FUNCTION}"]),
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
        ("sqs", "ReceiveMessage", {"QueueUrl": "http://h:1/000000000000/q?/mine"}, [f"sqs:ReceiveMessage {QUEUE}"]),
        ("sqs", "ReceiveMessage", {"QueueUrl": "http://h:1/000000000000/q#/mine"}, [f"sqs:ReceiveMessage {QUEUE}"]),
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
        ("iam", "ListRoles", {}, ["iam:ListRoles arn:aws:iam::000000000000:role/"]),
        ("sts", "GetCallerIdentity", {}, []),
        ("sts", "AssumeRole", {"RoleArn": ROLE}, [f"sts:AssumeRole {ROLE}"]),
        ("cloudwatch", "PutMetricData", {"Namespace": "n"}, ["cloudwatch:PutMetricData *"]),
        ("cloudwatch", "DeleteAlarms", {"AlarmNames": ["a"]}, [f"cloudwatch:DeleteAlarms {ALARM}:a"]),
        ("cloudwatch", "DescribeAlarms", {}, [f"cloudwatch:DescribeAlarms {ALARM}:*"]),
        (
            "logs",
            "StartLiveTail",
            {"logGroupIdentifiers": [f"{LOGS}:g", f"{LOGS}:h:*"]},
            [
                f"logs:StartLiveTail {LOGS}:g:log-stream:",
                f"logs:StartLiveTail {LOGS}:h:log-stream:",
            ],
        ),
        ("logs", "TagResource", {"resourceArn": f"{LOGS}:g"}, [f"logs:TagResource {LOGS}:g:log-stream:"]),
        ("cloudwatch", "SetAlarmState", {"AlarmName": "a"}, [f"cloudwatch:SetAlarmState {ALARM}:a"]),
    ],
)
def test_what_each_operation_needs(service: str, operation: str, given: dict[str, Any], wanted: list[str]) -> None:
    assert [f"{action} {resource}" for action, resource in needs(service, operation, given)] == wanted


def _arn(path: str) -> str:
    return f"arn:aws:apigateway:us-east-1::{path}"


METHOD = {"restApiId": "a", "resourceId": "r", "httpMethod": "GET"}


@pytest.mark.parametrize(
    ("service", "operation", "given", "wanted"),
    [
        ("apigateway", "CreateRestApi", {"name": "n"}, ["POST /restapis"]),
        ("apigateway", "ImportRestApi", {"body": b""}, ["POST /restapis"]),
        ("apigateway", "PutRestApi", {"restApiId": "a", "body": b""}, ["PUT /restapis/a"]),
        ("apigateway", "GetRestApis", {}, ["GET /restapis"]),
        ("apigateway", "DeleteRestApi", {"restApiId": "a"}, ["DELETE /restapis/a"]),
        ("apigateway", "GetResources", {"restApiId": "a"}, ["GET /restapis/a/resources"]),
        ("apigateway", "CreateResource", {"restApiId": "a", "parentId": "p"}, ["POST /restapis/a/resources/p"]),
        ("apigateway", "UpdateMethod", METHOD, ["PATCH /restapis/a/resources/r/methods/GET"]),
        ("apigateway", "PutIntegration", METHOD, ["PUT /restapis/a/resources/r/methods/GET/integration"]),
        (
            "apigateway",
            "GetIntegrationResponse",
            {**METHOD, "statusCode": "200"},
            ["GET /restapis/a/resources/r/methods/GET/integration/responses/200"],
        ),
        ("apigateway", "CreateStage", {"restApiId": "a", "stageName": "s"}, ["POST /restapis/a/stages"]),
        ("apigateway", "UpdateStage", {"restApiId": "a", "stageName": "s"}, ["PATCH /restapis/a/stages/s"]),
        ("apigateway", "TagResource", {"resourceArn": "x", "tags": {}}, ["PUT /tags/x"]),
        ("apigateway", "GetAccount", {}, ["GET /account"]),
        ("apigatewayv2", "CreateApi", {"Name": "n"}, ["POST /apis"]),
        ("apigatewayv2", "ImportApi", {"Body": "{}"}, ["PUT /apis"]),
        ("apigatewayv2", "ReimportApi", {"ApiId": "a", "Body": "{}"}, ["PUT /apis/a"]),
        ("apigatewayv2", "CreateRoute", {"ApiId": "a", "RouteKey": "GET /"}, ["POST /apis/a/routes"]),
        ("apigatewayv2", "GetRoutes", {"ApiId": "a"}, ["GET /apis/a/routes"]),
        ("apigatewayv2", "DeleteCorsConfiguration", {"ApiId": "a"}, ["DELETE /apis/a/cors"]),
        ("apigatewayv2", "TagResource", {"ResourceArn": "x"}, ["POST /tags/x"]),
    ],
)
def test_actions_of_api_gateway_are_verbs(
    service: str, operation: str, given: dict[str, Any], wanted: list[str]
) -> None:
    found = [f"{action.removeprefix('apigateway:')} {arn}" for action, arn in needs(service, operation, given)]
    assert found == [f"{one.split()[0]} {_arn(one.split()[1])}" for one in wanted]


def test_every_operation_of_api_gateway_has_a_verb_and_a_path() -> None:
    for service, table in (("apigateway", REST), ("apigatewayv2", HTTP)):
        model = Loader().load_service_model(service, "service-2")
        for operation in table:
            ((action, arn),) = needs(service, operation, {})
            http = model["operations"][operation]["http"]
            assert action == f"apigateway:{http['method']}", operation
            assert arn.startswith(_arn("/" + http["requestUri"].removeprefix("/v2").split("/")[1].split("?")[0])) or (
                "agResource" in operation
            ), (operation, arn)

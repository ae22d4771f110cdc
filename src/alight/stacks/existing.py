"""Whether a thing of that name is there already: CloudFormation takes over nothing, and deletes nothing of others.

Types that stand in no row have no name that a template could give; theirs are made from the stack's own id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from alight import names
from alight.calls import Members
from alight.errors import Fault
from alight.stacks.provider import CallOperation, Operation, Work, is_absence

#: (type, work) -> whether such a thing is there already.
Exists = Callable[[str, Work], Awaitable[bool]]
#: Service, operation, its members, and which member of the answer holds the thing (none: to be answered is enough).
_Question = tuple[str, str, Callable[[Work], Members], str]

_QUESTIONS: Mapping[str, _Question] = {
    "AWS::ApiGateway::Stage": (
        "apigateway", "GetStage",
        lambda work: {"restApiId": work.properties["RestApiId"], "stageName": work.name}, "",
    ),
    "AWS::ApiGatewayV2::Stage": (
        "apigatewayv2", "GetStage", lambda work: {"ApiId": work.properties["ApiId"], "StageName": work.name}, "",
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch", "DescribeAlarms", lambda work: {"AlarmNames": [work.name]}, "MetricAlarms",
    ),
    "AWS::IAM::Group": ("iam", "GetGroup", lambda work: {"GroupName": work.name}, ""),
    "AWS::IAM::ManagedPolicy": ("iam", "GetPolicy", lambda work: {"PolicyArn": _policy_arn(work)}, ""),
    "AWS::IAM::Role": ("iam", "GetRole", lambda work: {"RoleName": work.name}, ""),
    "AWS::IAM::User": ("iam", "GetUser", lambda work: {"UserName": work.name}, ""),
    "AWS::Lambda::Alias": (
        "lambda", "GetAlias", lambda work: {"FunctionName": work.properties["FunctionName"], "Name": work.name}, "",
    ),
    "AWS::Lambda::Function": ("lambda", "GetFunctionConfiguration", lambda work: {"FunctionName": work.name}, ""),
    "AWS::Logs::LogGroup": ("logs", "DescribeLogStreams", lambda work: {"logGroupName": work.name}, ""),
    "AWS::S3::Bucket": ("s3", "GetBucketLocation", lambda work: {"Bucket": work.name}, ""),
    "AWS::SageMaker::Endpoint": ("sagemaker", "DescribeEndpoint", lambda work: {"EndpointName": work.name}, ""),
    "AWS::SageMaker::EndpointConfig": (
        "sagemaker", "DescribeEndpointConfig", lambda work: {"EndpointConfigName": work.name}, "",
    ),
    "AWS::SageMaker::Model": ("sagemaker", "DescribeModel", lambda work: {"ModelName": work.name}, ""),
    "AWS::SNS::Topic": ("sns", "GetTopicAttributes", lambda work: {"TopicArn": names.topic_arn(work.name)}, ""),
    "AWS::SQS::Queue": ("sqs", "GetQueueUrl", lambda work: {"QueueName": work.name}, ""),
}  # fmt: skip


def looking(owner: CallOperation, offered: Collection[Operation] | None) -> Exists:
    """Asks as the owner: who may make a thing need not be one who may look at it."""

    async def exists(type_name: str, work: Work) -> bool:
        if type_name not in _QUESTIONS:
            return False
        service, operation, members, holds = _QUESTIONS[type_name]
        if offered is not None and (service, operation) not in offered:
            return False
        try:
            answer = await owner(service, operation, members(work))
        except Fault as fault:
            if is_absence(fault):
                return False
            raise
        return not holds or bool(answer.get(holds))

    return exists


def _policy_arn(work: Work) -> str:
    return str(names.Arn("iam", f"policy{work.properties.get('Path', '/')}{work.name}", region=""))

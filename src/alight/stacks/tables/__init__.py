"""The table of every resource type: which property is honoured, neutral (N) or refused, and why.

Pure data, a file for each family of resources: `properties` reads it at plan time, and the coverage page is made
from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Table
from alight.stacks.tables import apigateway, cloudformation, cloudwatch, iam, lambda_, messaging, s3, sagemaker
from alight.stacks.tables.cloudformation import kind_of

_FAMILIES = (apigateway, cloudformation, cloudwatch, iam, lambda_, messaging, s3, sagemaker)

TABLES: Mapping[str, Table] = {name: table for family in _FAMILIES for name, table in family.TABLES.items()}

#: Properties that must be there (`*`: in every item), where what holds them is.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    name: required for family in _FAMILIES for name, required in family.REQUIRED.items()
}

#: Types that templates of this kind often hold, with what to say of them.
REFUSED_TYPES: Mapping[str, str] = {
    "AWS::ApiGateway::ApiKey": "there are no API keys and usage plans here.",
    "AWS::ApiGateway::BasePathMapping": "domain names of your own are not offered.",
    "AWS::ApiGateway::DomainName": "domain names of your own are not offered.",
    "AWS::ApiGateway::GatewayResponse": "API Gateway's own answers cannot be changed.",
    "AWS::ApiGateway::Model": "requests are not validated here.",
    "AWS::ApiGateway::RequestValidator": "requests are not validated here.",
    "AWS::ApiGateway::UsagePlan": "there are no API keys and usage plans here.",
    "AWS::ApiGateway::VpcLink": "there is no VPC here.",
    "AWS::ApiGatewayV2::ApiMapping": "domain names of your own are not offered.",
    "AWS::ApiGatewayV2::DomainName": "domain names of your own are not offered.",
    "AWS::ApiGatewayV2::VpcLink": "there is no VPC here.",
    "AWS::IAM::AccessKey": "its secret would stand in the stack's records; make it by aws iam create-access-key.",
    "AWS::IAM::InstanceProfile": "there are no EC2 instances here.",
    "AWS::IAM::ServiceLinkedRole": "services here need no roles of their own.",
    "AWS::CloudFormation::Stack": "nested stacks are not offered; put the resources into this template.",
    "AWS::CloudWatch::CompositeAlarm": "composite alarms are not offered; put the alarms on one topic.",
    "AWS::CloudWatch::Dashboard": "there are no dashboards here; ask for metrics by GetMetricData.",
    "AWS::Events::": "EventBridge (schedules, rules) is not offered yet.",
    "AWS::Lambda::LayerVersionPermission": "layers are not shared with other accounts here.",
    "AWS::Logs::MetricFilter": "metric filters are not offered; put metrics by PutMetricData.",
    "AWS::Logs::SubscriptionFilter": "subscription filters are not offered.",
    "AWS::SageMaker::NotebookInstance": "there are no notebook machines here; run the notebook where Alight runs.",
    "AWS::Scheduler::": "schedules are not offered yet.",
}


def refusal_of(type_name: str) -> str | None:
    """Why a type cannot be applied, or None where it can."""
    if kind_of(type_name) in TABLES:
        return None
    for prefix, why in REFUSED_TYPES.items():
        if type_name.startswith(prefix):
            return f"{type_name}: {why}"
    return f"{type_name} is not offered."

"""One provider per resource type, one file per family."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.provider import Provider
from alight.stacks.resources import (
    apigateway,
    apigateway_parts,
    apigatewayv2,
    cloudwatch,
    iam,
    lambda_,
    lambda_access,
    logs,
    s3,
    sagemaker,
    sns,
    sqs,
)

_FAMILIES = (
    apigateway.PROVIDERS,
    apigateway_parts.PROVIDERS,
    apigatewayv2.PROVIDERS,
    cloudwatch.PROVIDERS,
    iam.PROVIDERS,
    lambda_.PROVIDERS,
    lambda_access.PROVIDERS,
    logs.PROVIDERS,
    s3.PROVIDERS,
    sagemaker.PROVIDERS,
    sns.PROVIDERS,
    sqs.PROVIDERS,
)

PROVIDERS: Mapping[str, Provider] = {provider.type: provider for family in _FAMILIES for provider in family}

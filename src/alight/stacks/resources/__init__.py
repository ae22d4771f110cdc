"""One provider per resource type, one file per family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from alight.stacks.provider import Provider
from alight.stacks.resources import (
    apigateway,
    apigateway_parts,
    apigatewayv2,
    cloudwatch,
    custom,
    iam,
    lambda_,
    lambda_access,
    lambda_url,
    logs,
    s3,
    sagemaker,
    sns,
    sqs,
)
from alight.stacks.tables.cloudformation import kind_of

_FAMILIES = (
    apigateway.PROVIDERS,
    apigateway_parts.PROVIDERS,
    apigatewayv2.PROVIDERS,
    cloudwatch.PROVIDERS,
    custom.PROVIDERS,
    iam.PROVIDERS,
    lambda_.PROVIDERS,
    lambda_access.PROVIDERS,
    lambda_url.PROVIDERS,
    logs.PROVIDERS,
    s3.PROVIDERS,
    sagemaker.PROVIDERS,
    sns.PROVIDERS,
    sqs.PROVIDERS,
)

PROVIDERS: Mapping[str, Provider] = {provider.type: provider for family in _FAMILIES for provider in family}


def provider_of(type_name: str) -> Provider:
    """The provider of a resource type, under that name."""
    kind = kind_of(type_name)
    return PROVIDERS[kind] if kind == type_name else replace(PROVIDERS[kind], type=type_name)

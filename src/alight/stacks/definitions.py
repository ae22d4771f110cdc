"""What is wrong with an API's OpenAPI body, found while the plan is made: with its place, before anything is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from alight.calls import Members
from alight.errors import AlightError, Fault
from alight.services.apigateway import rest_apis
from alight.services.apigateway.openapi import Document, read_document
from alight.services.apigatewayv2 import apis as http_apis
from alight.stacks.resolve import Later, leaves

_CHECKS: Mapping[str, Callable[[Document], None]] = {
    "AWS::ApiGateway::RestApi": rest_apis.check_definition,
    "AWS::ApiGatewayV2::Api": http_apis.check_definition,
}


def check_body(type_name: str, properties: Members) -> None:
    """Raises `AlightError` where the service would refuse the body. One with parts that only another resource's
    creation can tell is left to the service."""
    body, check = properties.get("Body"), _CHECKS.get(type_name)
    if check is None or not body or any(isinstance(leaf, Later) for leaf in leaves(body)):
        return
    try:
        check(read_document(json.dumps(body)))
    except Fault as fault:
        raise AlightError(f"Body: {fault.message}") from fault

"""Custom resources: two properties are CloudFormation's, all others are for the function."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import OTHERS, Honoured, Matching, Table
from alight.stacks.tables.kinds import WHOLE

CUSTOM = "AWS::CloudFormation::CustomResource"

TABLES: Mapping[str, Table] = {
    CUSTOM: {
        "ServiceToken": Matching(
            r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:.+",
            "takes the ARN of a function; topics as service tokens are not offered.",
        ),
        "ServiceTimeout": WHOLE,
        OTHERS: Honoured(),
    },
}

REQUIRED: Mapping[str, tuple[str, ...]] = {CUSTOM: ("ServiceToken",)}


def kind_of(type_name: str) -> str:
    """The type by which a resource is treated: `Custom::X` is a custom resource under a name of its own."""
    return CUSTOM if type_name.startswith("Custom::") else type_name

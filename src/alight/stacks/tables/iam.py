"""Roles and policies."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Refused, Table
from alight.stacks.tables.kinds import DOCUMENT, N_TEXT, N_WHOLE, TAGS, TEXT, TEXTS

_ROLE: Table = {
    "RoleName": TEXT,
    "Path": TEXT,
    "AssumeRolePolicyDocument": DOCUMENT,
    "Policies": [{"PolicyName": TEXT, "PolicyDocument": DOCUMENT}],
    "ManagedPolicyArns": TEXTS,
    "Description": N_TEXT,
    "MaxSessionDuration": N_WHOLE,
    "Tags": TAGS,
    "PermissionsBoundary": Refused("would narrow what the role may do; not offered yet."),
}
_USERS = Refused("there are no users here, only the owner and roles.")
_POLICY: Table = {"PolicyName": TEXT, "PolicyDocument": DOCUMENT, "Roles": TEXTS, "Users": _USERS, "Groups": _USERS}
_MANAGED_POLICY: Table = {
    "ManagedPolicyName": TEXT,
    "PolicyDocument": DOCUMENT,
    "Path": TEXT,
    "Roles": TEXTS,
    "Users": _USERS,
    "Groups": _USERS,
    "Description": N_TEXT,
    "Tags": TAGS,
}

TABLES: Mapping[str, Table] = {
    "AWS::IAM::ManagedPolicy": _MANAGED_POLICY,
    "AWS::IAM::Policy": _POLICY,
    "AWS::IAM::Role": _ROLE,
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::ManagedPolicy": ("PolicyDocument",),
    "AWS::IAM::Policy": ("PolicyName", "PolicyDocument"),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", "Policies.*.PolicyName", "Policies.*.PolicyDocument"),
}

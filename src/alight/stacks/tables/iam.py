"""Roles, users, groups and policies."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Neutral, Refused, Table
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
_USER: Table = {
    "UserName": TEXT,
    "Path": TEXT,
    "Groups": TEXTS,
    "Policies": [{"PolicyName": TEXT, "PolicyDocument": DOCUMENT}],
    "ManagedPolicyArns": TEXTS,
    "LoginProfile": {"Password": N_TEXT, "PasswordResetRequired": Neutral("flag")},  # there is no sign-in page
    "Tags": TAGS,
    "PermissionsBoundary": Refused("would narrow what the user may do; not offered yet."),
}
_GROUP: Table = {
    "GroupName": TEXT,
    "Path": TEXT,
    "Policies": [{"PolicyName": TEXT, "PolicyDocument": DOCUMENT}],
    "ManagedPolicyArns": TEXTS,
}
_POLICY: Table = {"PolicyName": TEXT, "PolicyDocument": DOCUMENT, "Roles": TEXTS, "Users": TEXTS, "Groups": TEXTS}
_MANAGED_POLICY: Table = {
    "ManagedPolicyName": TEXT,
    "PolicyDocument": DOCUMENT,
    "Path": TEXT,
    "Roles": TEXTS,
    "Users": TEXTS,
    "Groups": TEXTS,
    "Description": N_TEXT,
    "Tags": TAGS,
}

TABLES: Mapping[str, Table] = {
    "AWS::IAM::Group": _GROUP,
    "AWS::IAM::ManagedPolicy": _MANAGED_POLICY,
    "AWS::IAM::Policy": _POLICY,
    "AWS::IAM::Role": _ROLE,
    "AWS::IAM::User": _USER,
    "AWS::IAM::UserToGroupAddition": {"GroupName": TEXT, "Users": TEXTS},
}

_INLINE = ("Policies.*.PolicyName", "Policies.*.PolicyDocument")
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::Group": _INLINE,
    "AWS::IAM::ManagedPolicy": ("PolicyDocument",),
    "AWS::IAM::Policy": ("PolicyName", "PolicyDocument"),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", *_INLINE),
    "AWS::IAM::User": _INLINE,
    "AWS::IAM::UserToGroupAddition": ("GroupName", "Users"),
}

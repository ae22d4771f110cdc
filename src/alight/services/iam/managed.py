"""AWS's managed policies, with its documents; of AmazonSageMakerFullAccess and ReadOnlyAccess what can matter here."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alight.calls import Members

FILE = Path(__file__).with_name("managed.json")


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """One of AWS's own policies; `path` is `/` or `/service-role/`."""

    name: str
    path: str
    version: str
    document: Members

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::aws:policy{self.path}{self.name}"


@functools.cache
def managed_policies() -> Mapping[str, ManagedPolicy]:
    """By ARN."""
    rows = json.loads(FILE.read_text())
    known = [ManagedPolicy(row["Name"], row["Path"], row["Version"], row["Document"]) for row in rows]
    return {policy.arn: policy for policy in known}


def managed_policy_arns() -> dict[str, str]:
    """Name → ARN, as SAM templates name them."""
    return {policy.name: arn for arn, policy in managed_policies().items()}

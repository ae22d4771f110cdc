"""Who beside the owner a bucket is shared with, as its settings say: policy, access block, ownership, ACLs. Pure.

Everything here is closed where nothing was said, as for buckets that AWS makes since April 2023: the four blocks are
on, and the bucket's owner owns every object, so that there are no ACLs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alight.calls import Members

POLICY, BLOCK, OWNERSHIP, ACL = "policy", "public_access_block", "ownership", "acl"
ENFORCED = "BucketOwnerEnforced"
OWNERSHIPS = (ENFORCED, "BucketOwnerPreferred", "ObjectWriter")
PUBLIC_READ = "public-read"
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, slots=True)
class Block:
    """The public access block: what may not be put any more, and what is ignored where it is there."""

    block_public_acls: bool = True
    ignore_public_acls: bool = True
    block_public_policy: bool = True
    restrict_public_buckets: bool = True

    def shown(self) -> dict[str, bool]:
        """As members of the operations."""
        values = (
            self.block_public_acls,
            self.ignore_public_acls,
            self.block_public_policy,
            self.restrict_public_buckets,
        )
        return dict(zip(FLAGS, values, strict=True))


def block_of(settings: Mapping[str, Any]) -> Block:
    """Where none was ever put, all four are on; one that was removed blocks nothing."""
    said = settings.get(BLOCK)
    return Block() if said is None else Block(*(bool(said.get(flag)) for flag in FLAGS))


def ownership_of(settings: Mapping[str, Any]) -> str:
    """The rule of object ownership; empty where the controls were removed, which lets writers own as of old."""
    return str(settings.get(OWNERSHIP, ENFORCED))


def allows_acls(settings: Mapping[str, Any]) -> bool:
    return ownership_of(settings) != ENFORCED


def policy_of(settings: Mapping[str, Any]) -> Members | None:
    """The bucket's policy; do not change what it gives."""
    text = settings.get(POLICY)
    return None if text is None else _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Members:
    document: Members = json.loads(text)
    return document


def acl_opens(settings: Mapping[str, Any], acl: Any) -> bool:
    """Whether an ACL (a canned one, by name) of the bucket or of one of its objects lets everybody read."""
    return acl == PUBLIC_READ and allows_acls(settings) and not block_of(settings).ignore_public_acls

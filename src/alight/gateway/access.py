"""What may be reached without a signature: one table. Everything that is not in it is refused.

Mounts (health, console, public APIs ...) are not AWS operations and answer for themselves; those that are let in
without a signature are listed in `MOUNTS`, so that this file names every unsigned entrance. A browser's form to an S3
bucket is no such entrance: its signature stands in the form (`forms`). Policies are evaluated in `policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from alight.calls import Call, Members
from alight.errors.common import AccessDenied
from alight.errors.gateway import MissingAuthentication
from alight.gateway.route import Match, Pending


class Unsigned(Enum):
    """Why an operation may be called by anybody."""

    #: What has to be known to call it is itself a secret that was sent to its owner.
    TOKEN = "token"
    #: The resource's own policy may allow everybody; without such a policy it is refused.
    POLICY = "policy"


OPERATIONS: dict[tuple[str, str], Unsigned] = {
    ("sns", "ConfirmSubscription"): Unsigned.TOKEN,
    ("sns", "Unsubscribe"): Unsigned.TOKEN,
    ("s3", "GetObject"): Unsigned.POLICY,
    ("s3", "HeadObject"): Unsigned.POLICY,
    ("s3", "HeadBucket"): Unsigned.POLICY,
    ("s3", "ListObjects"): Unsigned.POLICY,
    ("s3", "ListObjectsV2"): Unsigned.POLICY,
    ("s3", "PutObject"): Unsigned.POLICY,
    ("s3", "DeleteObject"): Unsigned.POLICY,
}

#: Paths (or second host labels) of mounts that let anybody in, and what guards them.
MOUNTS: dict[str, str] = {
    "/_alight/health": "says nothing but that it serves",
    "/_alight/console": "console login (a token, then a cookie)",
    "/_alight/api": "bearer token",
    "/_aws/sns/": "certificate of the signing key: public by its nature",
    "/_aws/cloudformation/": "answers of custom resources: a token that only the function that was asked has",
    "/_aws/execute-api/": "public APIs: their own authorizers",
    "execute-api": "public APIs: their own authorizers",
    "/_aws/lambda-url/": "function URLs: their own AuthType",
    "lambda-url": "function URLs: their own AuthType",
    "/_aws/s3-website/": "website buckets: GET and HEAD of what their own policy or ACLs open",
    "s3-website": "website buckets: the same, by Host",
    "s3-website-us-east-1": "website buckets: the same, by Host",
}

Public = Callable[[Call, Members], bool]


def admit_anonymous(call: Call, given: Members, public: Public) -> None:
    """Lets in whom the table, and where it says so the resource's policy, lets in.

    Raises `AccessDenied` where a policy could have allowed it and does not, else `MissingAuthentication`.
    """
    why = OPERATIONS.get((call.service, call.operation))
    if why is Unsigned.TOKEN:
        return
    if why is not Unsigned.POLICY:
        raise MissingAuthentication
    if not public(call, given):
        raise AccessDenied


def may_be_anonymous(found: Match | Pending) -> bool:
    """False where an unsigned request can be refused before its body is read."""
    return isinstance(found, Pending) or (found.service.name, found.operation.name) in OPERATIONS

"""SageMaker as the execution role of a model: objects that it reads and writes, and what the role must be allowed.

Where a model names no role, it acts for whoever made it: for the owner of the account, or for the role that called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from alight.calls import Call, Members, Operations, Principal, pieces
from alight.errors.common import AccessDenied
from alight.errors.sagemaker import ValidationException
from alight.names import ACCOUNT, bucket_arn, new_request_id

SERVICE = "sagemaker.amazonaws.com"
#: (role's name, action, resource's ARN) -> may it.
RoleMay = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class Acting:
    """`operations` are asked for when they are needed: they hold SageMaker's own."""

    operations: Callable[[], Operations]
    role_may: RoleMay

    async def put(self, role: str, url: str, body: bytes, content_type: str) -> None:
        """Write the object `s3://bucket/key` as `role`. Raises `AccessDenied` or S3's faults."""
        bucket, key = split(url)
        self.check(role, "s3:PutObject", bucket_arn(bucket, key))
        given = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        await self._call(role, "s3", "PutObject", given)

    async def get(self, role: str, url: str, most: int) -> tuple[bytes, str]:
        """An object's bytes and content type, read as `role`. Raises `ValueError` where it has more than `most`."""
        bucket, key = split(url)
        self.check(role, "s3:GetObject", bucket_arn(bucket, key))
        found = await self._call(role, "s3", "GetObject", {"Bucket": bucket, "Key": key})
        if found["ContentLength"] > most:
            raise ValueError(f"{url} has {found['ContentLength']:,} bytes; {most:,} are allowed.")
        return b"".join([part async for part in pieces(found["Body"])]), found.get("ContentType", "")

    def check(self, role: str, action: str, resource: str) -> None:
        """Raises `AccessDenied` in AWS's words where `role` (its ARN, "" for the owner) may not."""
        if role and not self.role_may(role.rpartition("/")[2], action, resource):
            raise AccessDenied(
                f"User: {_session(role)} is not authorized to perform: {action} on resource: {resource} because no "
                f"identity-based policy allows the {action} action"
            )

    async def _call(self, role: str, service: str, operation: str, given: Members) -> Members:
        arn = _session(role) if role else f"arn:aws:iam::{ACCOUNT}:root"
        principal = Principal("service", arn, f"AWS:{SERVICE}")
        return await self.operations()[service, operation](Call(service, operation, new_request_id(), principal), given)


def role_of(call: Call, given: Members) -> str:
    """The ARN of the role that a new model acts with; "" where it acts for the owner.

    Raises `ValidationException` for a user, and for a session that policies narrow: a model must not do more than they.
    """
    if given.get("ExecutionRoleArn"):
        return str(given["ExecutionRoleArn"])
    session = call.principal.session
    if call.principal.user or (session is not None and (session.policies or session.policy_arns)):
        raise ValidationException("ExecutionRoleArn must be given: the model acts with that role.")
    return f"arn:aws:iam::{ACCOUNT}:role/{call.principal.role}" if call.principal.role else ""


def check_url(url: str, member: str) -> str:
    """An `s3://` URL with a bucket, without the slash at its end. Raises `ValidationException` for anything else."""
    if not url.startswith("s3://") or not split(url)[0]:
        raise ValidationException(f"Invalid {member}: {url}. It must be s3://BUCKET/PREFIX.")
    return url.rstrip("/")


def split(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    parts = urlsplit(url)
    return parts.netloc, unquote(parts.path.lstrip("/"))


def _session(role: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/SageMaker"

"""AWS::Logs::LogGroup."""

from __future__ import annotations

from alight import names
from alight.calls import Members
from alight.errors import Fault
from alight.stacks.provider import Named, Naming, Provider, Work
from alight.stacks.resources.values import tag_map


async def _create(work: Work) -> None:
    try:
        await work.call("logs", "CreateLogGroup", logGroupName=work.name, **tag_map(work.properties, "tags"))
    except Fault as fault:
        # The function may have written its first line before its group's turn came.
        if fault.code != "ResourceAlreadyExistsException":
            raise
    await _retain(work)


async def _retain(work: Work) -> None:
    days = work.properties.get("RetentionInDays")
    if days is not None:
        await work.call("logs", "PutRetentionPolicy", logGroupName=work.name, retentionInDays=days)
    elif "RetentionInDays" in work.before:
        await work.call("logs", "DeleteRetentionPolicy", logGroupName=work.name)


async def _update(work: Work) -> None:
    await _retain(work)
    if work.changed("Tags"):
        arn = names.log_group_arn(work.name)
        if before := [str(tag["Key"]) for tag in work.before.get("Tags") or []]:
            await work.call("logs", "UntagResource", resourceArn=arn, tagKeys=before)
        if tags := tag_map(work.properties, "tags"):
            await work.call("logs", "TagResource", resourceArn=arn, **tags)


async def _delete(work: Work) -> None:
    await work.quietly("logs", "DeleteLogGroup", logGroupName=work.name)


def _group(one: Named) -> Members:
    return {"Ref": one.name, "Arn": f"{names.log_group_arn(one.name)}:*"}


PROVIDERS = (
    Provider(
        type="AWS::Logs::LogGroup",
        naming=Naming("LogGroupName", 512),
        create=_create,
        update=_update,
        delete=_delete,
        attributes=_group,
        replaced_by=frozenset({"LogGroupName"}),
        needs=(("logs", "CreateLogGroup"), ("logs", "DeleteLogGroup")),
    ),
)

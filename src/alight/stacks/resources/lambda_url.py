"""AWS::Lambda::Url. It is known by AWS's spelling of its address, which holds on any port; `stacks/addresses.py` makes
this instance's address of it wherever it is used."""

from __future__ import annotations

from alight.calls import Members
from alight.names import REGION
from alight.stacks.provider import Naming, Provider, Work
from alight.stacks.resources.values import given


def _members(properties: Members) -> Members:
    return {"FunctionName": properties["TargetFunctionArn"]} | given(properties, "Qualifier")


async def _create(work: Work) -> Members:
    settings = given(work.properties, "AuthType", "Cors", "InvokeMode")
    made = await work.call("lambda", "CreateFunctionUrlConfig", **_members(work.properties), **settings)
    url_id = str(made["FunctionUrl"]).rstrip("/").rpartition("/")[2]
    return {
        "Ref": made["FunctionArn"],
        "FunctionArn": made["FunctionArn"],
        "FunctionUrl": f"https://{url_id}.lambda-url.{REGION}.on.aws/",
    }


async def _update(work: Work) -> None:
    settings: Members = {"Cors": {}} | given(work.properties, "AuthType", "Cors", "InvokeMode")
    await work.call("lambda", "UpdateFunctionUrlConfig", **_members(work.properties), **settings)


async def _delete(work: Work) -> None:
    await work.quietly("lambda", "DeleteFunctionUrlConfig", **_members(work.properties))


PROVIDERS = (
    Provider(
        type="AWS::Lambda::Url",
        naming=Naming(),
        create=_create,
        update=_update,
        delete=_delete,
        attributes=lambda one: {},
        replaced_by=frozenset({"TargetFunctionArn", "Qualifier"}),
        late=frozenset({"Ref", "FunctionArn", "FunctionUrl"}),
        needs=(("lambda", "CreateFunctionUrlConfig"), ("lambda", "DeleteFunctionUrlConfig")),
    ),
)

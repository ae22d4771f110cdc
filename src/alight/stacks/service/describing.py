"""What is told of stacks: states, resources, events, outputs, templates. Reading only."""

from __future__ import annotations

import json
from collections.abc import Iterator

from alight.calls import Call, Members
from alight.errors.common import ValidationError
from alight.services.paging import next_token, read_token
from alight.stacks.outputs import Output, exports, told
from alight.stacks.record import EVENT, GONE, Stack, physical_id, stack_of
from alight.stacks.service.change_sets import ChangeSets
from alight.stacks.service.ground import Ground
from alight.stacks.service.moments import moment
from alight.stacks.service.pages import SIZE, page

#: What an `alight up` of before these statuses left behind.
_OLD = {"applying": "UPDATE_IN_PROGRESS", "failed": "UPDATE_FAILED", "complete": "CREATE_COMPLETE"}
_DRIFT = {"StackDriftStatus": "NOT_CHECKED"}
_RESOURCE_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


class Describing:
    """The operations that look at stacks."""

    def __init__(self, ground: Ground, change_sets: ChangeSets) -> None:
        self._ground = ground
        self._change_sets = change_sets

    async def describe_stacks(self, call: Call, given: Members) -> Members:
        name = given.get("StackName")
        stacks = [self._ground.described(name)] if name else list(self._ground.stacks())
        shown, more = page(stacks, given)
        return more | {"Stacks": [self._described(stack) for stack in shown]}

    async def list_stacks(self, call: Call, given: Members) -> Members:
        wanted = given.get("StackStatusFilter") or []
        stacks = [*self._ground.stacks(), *self._gone()]
        chosen = [stack for stack in stacks if not wanted or _status(stack) in wanted]
        shown, more = page(sorted(chosen, key=lambda stack: -stack.body.get("Created", 0)), given)
        return more | {"StackSummaries": [_summary(stack) for stack in shown]}

    async def describe_stack_events(self, call: Call, given: Members) -> Members:
        if not given.get("StackName"):
            raise ValidationError("1 validation error detected: Value null at 'stackName' failed to satisfy constraint")
        stack = self._ground.described(given["StackName"])
        # By name, not by number: what happens between two pages stands before the first.
        after = read_token(given.get("NextToken"), ValidationError("The specified NextToken is not valid."))
        found = self._ground.means().records.list(EVENT, f"{stack.arn}/", after, SIZE + 1)
        more = next_token([record.name for record in found], SIZE)
        return more | {"StackEvents": [_event(record.body) for record in found[:SIZE]]}

    async def describe_stack_resources(self, call: Call, given: Members) -> Members:
        physical = given.get("PhysicalResourceId")
        if bool(given.get("StackName")) == bool(physical):
            raise ValidationError("Exactly one of StackName and PhysicalResourceId must be specified.")
        stack = self._of_resource(physical) if physical else self._ground.described(given["StackName"])
        wanted = given.get("LogicalResourceId")
        rows = [row for row in _resources(stack) if wanted in (None, row["LogicalResourceId"])]
        if wanted and not rows:
            raise ValidationError(f"Resource {wanted} does not exist for stack {stack.name}")
        own = {"StackName": stack.name, "StackId": stack.arn, "DriftInformation": _RESOURCE_DRIFT}
        return {"StackResources": [own | row for row in rows]}

    async def describe_stack_resource(self, call: Call, given: Members) -> Members:
        stack, wanted = self._ground.described(given["StackName"]), given["LogicalResourceId"]
        row = next((row for row in _resources(stack) if row["LogicalResourceId"] == wanted), None)
        if row is None:
            raise ValidationError(f"Resource {wanted} does not exist for stack {stack.name}")
        row["LastUpdatedTimestamp"] = row.pop("Timestamp")
        own = {"StackName": stack.name, "StackId": stack.arn, "DriftInformation": _RESOURCE_DRIFT, "Metadata": "{}"}
        return {"StackResourceDetail": own | row}

    async def list_stack_resources(self, call: Call, given: Members) -> Members:
        shown, more = page(list(_resources(self._ground.described(given["StackName"]))), given)
        for row in shown:
            row |= {"LastUpdatedTimestamp": row.pop("Timestamp"), "DriftInformation": _RESOURCE_DRIFT}
        return more | {"StackResourceSummaries": shown}

    async def get_template(self, call: Call, given: Members) -> Members:
        part = given.get("TemplateStage") or "Original"
        text = self._change_sets.template(given, part) if given.get("ChangeSetName") else self._template(given, part)
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    def _template(self, given: Members, part: str) -> str:
        if not given.get("StackName"):
            raise ValidationError("StackName must be specified.")
        stack = self._ground.described(given["StackName"])
        if "Definition" not in stack.body:
            raise ValidationError(
                f"The template of stack [{stack.name}] is the file {stack.body.get('Template')}."
                if "Id" not in stack.body
                else f"Stack [{stack.name}] has no template yet."
            )
        return self._ground.template(stack.body["Definition"], part)

    async def list_exports(self, call: Call, given: Members) -> Members:
        means = self._ground.means()
        found = list(exports(means.records, means.base_url).values())
        shown, more = page(found, given)
        return more | {
            "Exports": [{"ExportingStackId": one.stack, "Name": one.name, "Value": str(one.value)} for one in shown]
        }

    async def list_imports(self, call: Call, given: Members) -> Members:
        name = given["ExportName"]
        found = [stack.name for stack in self._ground.stacks() if name in stack.body.get("Imports", {})]
        if not found:
            raise ValidationError(f"Export '{name}' is not imported by any stack.")
        shown, more = page(found, given)
        return more | {"Imports": shown}

    def _described(self, stack: Stack) -> Members:
        body, definition = stack.body, stack.body.get("Definition") or {}
        answer = _summary(stack)
        answer.pop("TemplateDescription", None)
        if definition.get("Description"):
            answer["Description"] = definition["Description"]
        for member, value in (
            ("RoleARN", definition.get("RoleARN")),
            ("TimeoutInMinutes", body.get("TimeoutInMinutes")),
            ("ChangeSetId", body.get("ChangeSetId")),
        ):
            answer |= {member: value} if value else {}
        return answer | {
            "Parameters": list(_parameters(stack)),
            "DisableRollback": body.get("DisableRollback", False),
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": definition.get("Capabilities", []),
            "Outputs": [_output(one) for one in told(stack, self._ground.means().base_url)],
            "Tags": definition.get("Tags", []),
            "EnableTerminationProtection": body.get("TerminationProtection", False),
        }

    def _gone(self) -> Iterator[Stack]:
        after = ""
        while found := self._ground.means().records.list(GONE, after=after):
            yield from (stack_of(record.body["Name"], record.body) for record in found)
            after = found[-1].name

    def _of_resource(self, physical: str) -> Stack:
        for stack in self._ground.stacks():
            if any(physical_id(entry) == physical for entry in stack.entries.values()):
                return stack
        raise ValidationError(f"Stack for {physical} does not exist")


def _status(stack: Stack) -> str:
    return stack.status or _OLD.get(stack.body.get("Status", ""), "CREATE_COMPLETE")


def _summary(stack: Stack) -> Members:
    body = stack.body
    answer: Members = {
        "StackId": stack.arn,
        "StackName": stack.name,
        "CreationTime": moment(body.get("Created", 0)),
        "StackStatus": _status(stack),
        "DriftInformation": _DRIFT,
    }
    for member, key in (("LastUpdatedTime", "Updated"), ("DeletionTime", "Deleted")):
        answer |= {member: moment(body[key])} if key in body else {}
    if body.get("StackStatusReason"):
        answer["StackStatusReason"] = body["StackStatusReason"]
    description = (body.get("Definition") or {}).get("Description")
    return answer | ({"TemplateDescription": description} if description else {})


def _parameters(stack: Stack) -> Iterator[Members]:
    """As they were given; a stack of a template's file has them as they are used."""
    definition = stack.body.get("Definition") or {}
    values = definition.get("Given") if definition else stack.body.get("Parameters", {})
    for name, value in (values or {}).items():
        shown = ",".join(value) if isinstance(value, list) else str(value)
        yield {"ParameterKey": name, "ParameterValue": "****" if name in definition.get("Hidden", ()) else shown}


def _output(output: Output) -> Members:
    value = output.value if isinstance(output.value, str) else json.dumps(output.value)
    answer = {"OutputKey": output.name, "OutputValue": value}
    answer |= {"Description": output.description} if output.description else {}
    return answer | ({"ExportName": output.export} if output.export else {})


def _event(body: Members) -> Members:
    told = {name: value for name, value in body.items() if name != "Time" and value != ""}
    return told | {"Timestamp": moment(body["Time"])}


def _resources(stack: Stack) -> Iterator[Members]:
    """The last that is known of each resource."""
    statuses = stack.body.get("Statuses", {})
    for logical_id, one in statuses.items():
        row: Members = {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": one["Physical"],
            "ResourceType": one["Type"],
            "Timestamp": moment(one["Time"]),
            "ResourceStatus": one["Status"],
        }
        yield row | ({"ResourceStatusReason": one["Reason"]} if one["Reason"] else {})
    for logical_id, entry in stack.entries.items():
        if logical_id not in statuses:
            yield {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id(entry),
                "ResourceType": entry.type,
                "Timestamp": moment(stack.body.get("Created", 0)),
                "ResourceStatus": "CREATE_COMPLETE",
            }

"""Change sets: what an update, or a creation, would do, kept until somebody has it done.

Record (kind `stack:changeset`, by the stack's ARN and the change set's name): `Id`, `Name`, `Type`, `Status`, `Reason`,
`Executed`, `Definition`, `Changes`, `Created`, `Description` and `OnStackFailure`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alight.calls import Call, Members
from alight.errors.cloudformation import AlreadyExistsException, ChangeSetNotFound, InvalidChangeSetStatus
from alight.errors.common import ValidationError
from alight.names import Arn, new_request_id
from alight.stacks.plan import Plan, Step
from alight.stacks.record import CHANGE_SET as KIND
from alight.stacks.record import Stack
from alight.stacks.service.definitions import Judged, judge
from alight.stacks.service.ground import Ground, caller, check_name, refuse_but, refuse_unless_empty
from alight.stacks.service.making import Making, check_own, check_updatable, differs
from alight.stacks.service.moments import moment
from alight.stacks.service.pages import page
from alight.stacks.service.running import Runs

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_LATER = ("NotificationARNs", "RollbackConfiguration", "ResourceTypes", "ResourcesToImport")
_FALSE = {"IncludeNestedStacks": False, "ImportExistingResources": False}
_ACTIONS = {"create": "Add", "update": "Modify", "replace": "Modify", "delete": "Remove", "keep": "Remove"}


class ChangeSets:
    """The operations on change sets."""

    def __init__(self, ground: Ground, runs: Runs, making: Making) -> None:
        self._ground = ground
        self._runs = runs
        self._making = making

    async def create_change_set(self, call: Call, given: Members) -> Members:
        refuse_unless_empty("CreateChangeSet", given, *_LATER)
        refuse_but("CreateChangeSet", given, _FALSE)
        check_name(given["ChangeSetName"], "changeSetName")
        stack = self._subject(given)
        if self._record(stack.arn, given["ChangeSetName"]) is not None:
            raise AlreadyExistsException(f"ChangeSet {given['ChangeSetName']} cannot be created: it exists already.")
        judged = await judge(self._ground, call, given, stack, auto_expand=False)
        body = self._body(stack, judged, given)
        records = self._ground.means().records
        async with self._making.turn:
            if self._runs.stack(stack.arn) is None:
                if self._runs.stack(stack.name) is not None:
                    raise AlreadyExistsException(f"Stack [{stack.name}] already exists")
                stack.body |= {"Caller": caller(call.principal), "Description": judged.definition["Description"]}
                stack.turn(self._ground.means().clock.now(), "REVIEW_IN_PROGRESS", "User Initiated")
                await stack.save(records)
            await records.save_all([judged.templates(), (KIND, _key(stack.arn, body["Name"]), body)])
        return {"Id": body["Id"], "StackId": stack.arn}

    def _subject(self, given: Members) -> Stack:
        """The stack that is to be changed or, under review, to be made."""
        kind, name = given.get("ChangeSetType") or "UPDATE", given["StackName"]
        known = self._runs.stack(name)
        if kind == "IMPORT":
            refuse_but("CreateChangeSet", given, {"ChangeSetType": "UPDATE"})
        if kind == "CREATE":
            if known is None:
                check_name(name)
                return self._making.fresh(name)
            if known.status != "REVIEW_IN_PROGRESS":
                raise ValidationError(
                    f"Stack [{known.name}] already exists and cannot be created again with the changeSet "
                    f"[{given['ChangeSetName']}]."
                )
            return known
        if known is None or known.status == "REVIEW_IN_PROGRESS":
            raise ValidationError(f"Stack [{name}] does not exist")
        check_own(known)
        check_updatable(known)
        return known

    def _body(self, stack: Stack, judged: Judged, given: Members) -> Members:
        empty = stack.status not in ("", "REVIEW_IN_PROGRESS") and not differs(stack, judged)
        unique = f"changeSet/{given['ChangeSetName']}/{new_request_id()}"
        return {
            "Id": str(Arn("cloudformation", unique)),
            "Name": given["ChangeSetName"],
            "StackId": stack.arn,
            "StackName": stack.name,
            "Type": given.get("ChangeSetType") or "UPDATE",
            "Status": "FAILED" if empty else "CREATE_COMPLETE",
            "Reason": NO_CHANGES if empty else "",
            "Executed": False,
            "Definition": judged.definition,
            "Changes": _changes(judged.planned),
            "Created": self._ground.means().clock.now(),
            "Description": given.get("Description") or "",
            "OnStackFailure": given.get("OnStackFailure") or "",
            "ClientToken": given.get("ClientToken") or "",
        }

    async def execute_change_set(self, call: Call, given: Members) -> Members:
        async with self._making.turn:
            body = self._found(given)
            stack = self._runs.stack(body["StackId"])
            if body["Status"] != "CREATE_COMPLETE" or body["Executed"] or stack is None:
                raise InvalidChangeSetStatus(
                    f"ChangeSet [{body['Id']}] cannot be executed in its current status of [{body['Status']}]"
                )
            await self._execute(call, given, body, stack)
        await self._runs.linger(stack)
        return {}

    async def _execute(self, call: Call, given: Members, body: Members, stack: Stack) -> None:
        records = self._ground.means().records
        options = {"ClientRequestToken": given.get("ClientRequestToken")}
        options |= {name: given[name] for name in ("DisableRollback", "RetainExceptOnCreate") if name in given}
        if body["OnStackFailure"] and "DisableRollback" not in options:
            options |= {"DisableRollback": body["OnStackFailure"] == "DO_NOTHING"}
        others = [one for one in self._of(stack.arn) if one["Id"] != body["Id"] and not one["Executed"]]
        stack.body["ChangeSetId"] = body["Id"]
        if stack.status == "REVIEW_IN_PROGRESS":
            failure = {"OnFailure": "DELETE"} if body["OnStackFailure"] == "DELETE" else {}
            await self._making.start_creation(call, stack, body["Definition"], options | failure)
        else:
            await self._making.start_update(call, stack, body["Definition"], options)
        gone = [(KIND, _key(stack.arn, one["Name"]), None) for one in others]
        await records.save_all([(KIND, _key(stack.arn, body["Name"]), {**body, "Executed": True}), *gone])

    async def describe_change_set(self, call: Call, given: Members) -> Members:
        body = self._found(given)
        definition = body["Definition"]
        shown, more = page(body["Changes"], given)
        hidden = definition["Hidden"]
        return self._summary(body) | more | {
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": "****" if name in hidden else value}
                for name, value in definition["Given"].items()
            ],
            "NotificationARNs": [],
            "Capabilities": definition["Capabilities"],
            "Tags": definition["Tags"],
            "Changes": shown,
        }  # fmt: skip

    def _summary(self, body: Members) -> Members:
        told = {name: body[name] for name in ("Description", "OnStackFailure") if body[name]}
        reason = {"StatusReason": body["Reason"]} if body["Reason"] else {}
        return told | reason | {
            "ChangeSetName": body["Name"],
            "ChangeSetId": body["Id"],
            "StackId": body["StackId"],
            "StackName": body["StackName"],
            "CreationTime": moment(body["Created"]),
            "Status": body["Status"],
            "ExecutionStatus": self._execution(body),
            "IncludeNestedStacks": False,
        }  # fmt: skip

    def _execution(self, body: Members) -> str:
        if body["Status"] != "CREATE_COMPLETE":
            return "UNAVAILABLE"
        if not body["Executed"]:
            return "AVAILABLE"
        stack = self._ground.find(body["StackId"])
        status = stack.status if stack else "DELETE_COMPLETE"
        if "ROLLBACK" in status or status.endswith("FAILED"):
            return "EXECUTE_FAILED"
        return "EXECUTE_IN_PROGRESS" if status.endswith("IN_PROGRESS") else "EXECUTE_COMPLETE"

    async def list_change_sets(self, call: Call, given: Members) -> Members:
        stack = self._ground.described(given["StackName"])
        shown, more = page(list(self._of(stack.arn)), given)
        return more | {"Summaries": [self._summary(body) for body in shown]}

    async def delete_change_set(self, call: Call, given: Members) -> Members:
        try:
            body = self._found(given)
        except ChangeSetNotFound:
            return {}
        if body["Executed"]:
            raise InvalidChangeSetStatus(f"ChangeSet [{body['Id']}] cannot be deleted: it was executed.")
        await self._ground.means().records.remove(KIND, _key(body["StackId"], body["Name"]))
        return {}

    def template(self, given: Members, part: str) -> str:
        """GetTemplate of a change set."""
        return self._ground.template(self._found(given)["Definition"], part)

    def _found(self, given: Members) -> Members:
        """The change set of a name in a stack, or of an ARN. Raises `ChangeSetNotFound`."""
        name, stack = given["ChangeSetName"], given.get("StackName")
        if name.startswith("arn:"):
            found = next((one for one in self._of("") if one["Id"] == name), None)
        elif stack:
            found = self._record(self._ground.described(stack).arn, name)
        else:
            raise ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
        if found is None:
            raise ChangeSetNotFound(f"ChangeSet [{name}] does not exist")
        return found

    def _record(self, stack: str, name: str) -> Members | None:
        record = self._ground.means().records.get(KIND, _key(stack, name))
        return record.body if record else None

    def _of(self, stack: str) -> Iterator[Members]:
        """The change sets of a stack's ARN, or all."""
        prefix = f"{stack}/" if stack else ""
        after = ""
        while found := self._ground.means().records.list(KIND, prefix, after):
            yield from (record.body for record in found)
            after = found[-1].name


def _key(stack: str, name: str) -> str:
    return f"{stack}/{name}"


def _changes(planned: Plan) -> list[Members]:
    return [{"Type": "Resource", "ResourceChange": _change(step)} for step in planned.changes]


def _change(step: Step) -> Members:
    change: dict[str, Any] = {
        "Action": _ACTIONS[step.action],
        "LogicalResourceId": step.logical_id,
        "ResourceType": step.type,
        "Scope": [],
        "Details": [],
    }
    if step.action != "create":
        change["PhysicalResourceId"] = step.name
    if step.action in ("update", "replace"):
        change |= {"Replacement": "True" if step.action == "replace" else "False", "Scope": ["Properties"]}
    if step.action in ("delete", "keep"):
        change["PolicyAction"] = "Retain" if step.action == "keep" else "Delete"
    return change

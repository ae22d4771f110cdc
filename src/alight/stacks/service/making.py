"""CreateStack, UpdateStack, DeleteStack, and what is asked of a stack between them."""

from __future__ import annotations

import asyncio

from alight.calls import Call, Members
from alight.errors.cloudformation import AlreadyExistsException, TokenAlreadyExistsException
from alight.errors.common import ValidationError
from alight.names import new_request_id
from alight.stacks.load import canonical
from alight.stacks.record import Stack
from alight.stacks.resolve import stack_arn
from alight.stacks.service.definitions import Judged, judge
from alight.stacks.service.driving import take_back
from alight.stacks.service.ground import Ground, caller, check_name, refuse_but, refuse_unless_empty
from alight.stacks.service.running import Runs

_LATER = ("NotificationARNs", "RollbackConfiguration", "ResourceTypes", "StackPolicyBody", "StackPolicyURL")
_SETTLED = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"}
)
_FAILED = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})
_BUSY_UPDATING = frozenset(
    {"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"}
    | {"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"}
)
NO_UPDATES = "No updates are to be performed."


class Making:
    """Begins the work on stacks. `turn` is held from the last look at a stack until its new status is written."""

    def __init__(self, ground: Ground, runs: Runs) -> None:
        self.turn = asyncio.Lock()
        self._ground = ground
        self._runs = runs

    async def create_stack(self, call: Call, given: Members) -> Members:
        refuse_unless_empty("CreateStack", given, *_LATER)
        check_name(given["StackName"])
        if given.get("OnFailure") and given.get("DisableRollback") is not None:
            raise ValidationError("You can specify either DisableRollback or OnFailure, but not both.")
        known = self._ground.find(given["StackName"])
        if known is not None:
            return {"StackId": _again(known, given)}
        stack = self.fresh(given["StackName"])
        judged = await judge(self._ground, call, given, stack, auto_expand=True)
        async with self.turn:
            if (known := self._ground.find(stack.name)) is not None:
                return {"StackId": _again(known, given)}
            await self._keep(judged)
            await self.start_creation(call, stack, judged.definition, given)
        await self._runs.linger(stack)
        return {"StackId": stack.arn}

    def fresh(self, name: str) -> Stack:
        """A stack that is not there yet, with its id."""
        body = {"Id": stack_arn(name, new_request_id()), "Created": self._ground.means().clock.now()}
        return Stack(name, body, {}, [])

    async def start_creation(self, call: Call, stack: Stack, definition: Members, given: Members) -> None:
        failure = given.get("OnFailure") or ("DO_NOTHING" if given.get("DisableRollback") else "ROLLBACK")
        stack.body |= {
            "OnFailure": failure,
            "DisableRollback": failure == "DO_NOTHING",
            "TimeoutInMinutes": given.get("TimeoutInMinutes") or 0,
            "TerminationProtection": bool(given.get("EnableTerminationProtection")),
            "RetainExceptOnCreate": bool(given.get("RetainExceptOnCreate")),
        }
        await self._start(call, stack, definition, given, "CREATE_IN_PROGRESS")

    async def _keep(self, judged: Judged) -> None:
        await self._ground.means().records.save_all([judged.templates()])

    async def _start(self, call: Call, stack: Stack, definition: Members, given: Members, status: str) -> None:
        if definition["RoleARN"]:
            self._ground.assume(definition["RoleARN"])
        token = given.get("ClientRequestToken") or ""
        stack.body |= {"Definition": definition, "Caller": caller(call.principal), "ClientRequestToken": token}
        await self._runs.begin(stack, status)

    async def update_stack(self, call: Call, given: Members) -> Members:
        refuse_unless_empty(
            "UpdateStack", given, *_LATER, "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL"
        )  # fmt: skip
        stack = self._existing(given["StackName"])
        _check_token(stack, given)
        check_updatable(stack)
        judged = await judge(self._ground, call, given, stack, auto_expand=True)
        if not differs(stack, judged):
            raise ValidationError(NO_UPDATES)
        async with self.turn:
            await self._keep(judged)
            await self.start_update(call, self._existing(stack.arn), judged.definition, given)
        await self._runs.linger(stack)
        return {"StackId": stack.arn}

    async def start_update(self, call: Call, stack: Stack, definition: Members, given: Members) -> None:
        check_updatable(stack)
        if stack.status not in _FAILED:
            # One that failed and stood still goes back, if it must, to what stood before that.
            stack.body["Previous"] = stack.body["Definition"]
        stack.body["DisableRollback"] = bool(given.get("DisableRollback"))
        await self._start(call, stack, definition, given, "UPDATE_IN_PROGRESS")

    async def delete_stack(self, call: Call, given: Members) -> Members:
        refuse_but("DeleteStack", given, {"DeletionMode": "STANDARD"})
        async with self.turn:
            stack = self._runs.stack(given["StackName"])
            if stack is None or stack.status == "DELETE_IN_PROGRESS":
                return {}  # as on AWS: gone is gone
            check_own(stack)
            self._check_deletable(stack, given)
            await self._runs.stop(stack)
            if given.get("RoleARN"):
                self._ground.assume(given["RoleARN"])
                stack.body["Definition"] = {**stack.body.get("Definition", {}), "RoleARN": given["RoleARN"]}
            stack.body |= {
                "Caller": caller(call.principal),
                "RetainResources": given.get("RetainResources") or [],
                "ClientRequestToken": given.get("ClientRequestToken") or "",
            }
            stack.body.setdefault("Definition", {})
            await self._runs.begin(stack, "DELETE_IN_PROGRESS")
        await self._runs.linger(stack)
        return {}

    def _check_deletable(self, stack: Stack, given: Members) -> None:
        if stack.body.get("TerminationProtection"):
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status in _BUSY_UPDATING:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
        retained = given.get("RetainResources") or []
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.arn}]. RetainResources may only be specified when the stack is in "
                "DELETE_FAILED state."
            )
        unknown = [name for name in retained if name not in stack.entries]
        if unknown:
            raise ValidationError(f"The following resources to retain do not exist: [{', '.join(unknown)}]")

    async def update_termination_protection(self, call: Call, given: Members) -> Members:
        async with self.turn:
            stack = self._existing(given["StackName"])
            stack.body["TerminationProtection"] = bool(given["EnableTerminationProtection"])
            await stack.save(self._ground.means().records)
        return {"StackId": stack.arn}

    async def cancel_update_stack(self, call: Call, given: Members) -> Members:
        stack = self._existing(given["StackName"])
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        self._runs.cancel(stack)
        return {}

    async def continue_update_rollback(self, call: Call, given: Members) -> Members:
        refuse_unless_empty("ContinueUpdateRollback", given, "ResourcesToSkip")
        async with self.turn:
            stack = self._existing(given["StackName"])
            if stack.status != "UPDATE_ROLLBACK_FAILED":
                state = f"Stack:{stack.arn} is in {stack.status} state"
                raise ValidationError(f"{state} and can not continue rolling back.")
            await self._roll_back(call, stack, given, "UPDATE_ROLLBACK_IN_PROGRESS")
        await self._runs.linger(stack)
        return {}

    async def rollback_stack(self, call: Call, given: Members) -> Members:
        async with self.turn:
            stack = self._existing(given["StackName"])
            if stack.status not in _FAILED:
                raise ValidationError(f"Stack:{stack.arn} is in {stack.status} state and can not be rolled back.")
            # What was never whole has nothing to go back to.
            status = "UPDATE_ROLLBACK_IN_PROGRESS" if "Previous" in stack.body else "ROLLBACK_IN_PROGRESS"
            if status == "UPDATE_ROLLBACK_IN_PROGRESS":
                take_back(stack)
            await self._roll_back(call, stack, given, status)
        await self._runs.linger(stack)
        return {"StackId": stack.arn}

    async def _roll_back(self, call: Call, stack: Stack, given: Members, status: str) -> None:
        if given.get("RoleARN"):
            self._ground.assume(given["RoleARN"])
            for part in ("Definition", "Previous"):
                if part in stack.body:
                    stack.body[part] = {**stack.body[part], "RoleARN": given["RoleARN"]}
        token = given.get("ClientRequestToken") or ""
        stack.body |= {"Caller": caller(call.principal), "ClientRequestToken": token}
        await self._runs.begin(stack, status)

    def _existing(self, name: str) -> Stack:
        stack = self._runs.stack(name)
        if stack is None or stack.status == "REVIEW_IN_PROGRESS":
            raise ValidationError(f"Stack [{name}] does not exist")
        check_own(stack)
        return stack


def check_own(stack: Stack) -> None:
    if "Id" not in stack.body:
        raise ValidationError(
            f"Stack [{stack.name}] follows the template {stack.body.get('Template')}; change that and apply it "
            "(alight apply) instead."
        )


def check_updatable(stack: Stack) -> None:
    if stack.status not in _SETTLED:
        raise ValidationError(f"Stack:{stack.arn} is in {stack.status} state and can not be updated.")


def differs(stack: Stack, judged: Judged) -> bool:
    """Whether there is anything to do: resources, outputs, or what is kept with the stack."""
    if judged.planned.changes or stack.status in _FAILED:
        return True
    body, before = judged.prepared.body, stack.body.get("Definition", {})
    if canonical(body.get("Outputs")) != canonical(stack.body.get("Outputs")):
        return True
    if dict(judged.prepared.parameters) != stack.body.get("Parameters", {}):
        return True
    return any(judged.definition[name] != before.get(name) for name in ("Tags", "RoleARN"))


def _again(stack: Stack, given: Members) -> str:
    """The stack's ARN where this is the same request once more. Raises where it is another."""
    token = given.get("ClientRequestToken")
    if token and token == stack.body.get("ClientRequestToken"):
        return stack.arn
    raise AlreadyExistsException(f"Stack [{stack.name}] already exists")


def _check_token(stack: Stack, given: Members) -> None:
    token = given.get("ClientRequestToken")
    if token and token == stack.body.get("ClientRequestToken"):
        raise TokenAlreadyExistsException(f"Token [{token}] already exists")

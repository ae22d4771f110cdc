"""CloudFormation's operations, one table. Nested stacks, stack sets, drift, hooks and types are not among them."""

from __future__ import annotations

from alight.calls import Handler
from alight.services.members import Table, guarded, support
from alight.stacks.service.change_sets import ChangeSets
from alight.stacks.service.describing import Describing
from alight.stacks.service.ground import Ground
from alight.stacks.service.making import Making
from alight.stacks.service.running import Runs
from alight.stacks.service.summary import Summaries

_SOURCE = "TemplateBody TemplateURL"
#: NotificationARNs, RollbackConfiguration, ResourceTypes and the like are taken where there is nothing in them.
_EMPTY = "NotificationARNs RollbackConfiguration ResourceTypes"
_STACK = f"StackName {_SOURCE} Parameters Capabilities RoleARN ClientRequestToken DisableRollback {_EMPTY}"
_POLICIES = "StackPolicyBody StackPolicyURL"

TABLE: Table = {
    "CancelUpdateStack": support("StackName", neutral="ClientRequestToken"),
    "ContinueUpdateRollback": support("StackName RoleARN ResourcesToSkip ClientRequestToken"),
    "CreateChangeSet": support(
        f"StackName {_SOURCE} UsePreviousTemplate Parameters Capabilities RoleARN ChangeSetName Description "
        f"ChangeSetType OnStackFailure IncludeNestedStacks ImportExistingResources ResourcesToImport {_EMPTY}",
        neutral="Tags ClientToken",
    ),
    "CreateStack": support(
        f"{_STACK} {_POLICIES} OnFailure TimeoutInMinutes EnableTerminationProtection RetainExceptOnCreate",
        neutral="Tags",
    ),
    "DeleteChangeSet": support("ChangeSetName StackName"),
    "DeleteStack": support("StackName RetainResources RoleARN ClientRequestToken DeletionMode"),
    "DescribeChangeSet": support("ChangeSetName StackName NextToken", neutral="IncludePropertyValues"),
    "DescribeStackEvents": support("StackName NextToken"),
    "DescribeStackResource": support("StackName LogicalResourceId"),
    "DescribeStackResources": support("StackName LogicalResourceId PhysicalResourceId"),
    "DescribeStacks": support("StackName NextToken"),
    "ExecuteChangeSet": support("ChangeSetName StackName ClientRequestToken DisableRollback RetainExceptOnCreate"),
    "GetTemplate": support("StackName ChangeSetName TemplateStage"),
    "GetTemplateSummary": support(f"StackName {_SOURCE}", neutral="TemplateSummaryConfig"),
    "ListChangeSets": support("StackName NextToken"),
    "ListExports": support("NextToken"),
    "ListImports": support("ExportName NextToken"),
    "ListStackResources": support("StackName NextToken"),
    "ListStacks": support("NextToken StackStatusFilter"),
    "RollbackStack": support("StackName RoleARN ClientRequestToken"),
    "UpdateStack": support(
        f"{_STACK} {_POLICIES} UsePreviousTemplate StackPolicyDuringUpdateBody StackPolicyDuringUpdateURL",
        neutral="Tags",
    ),
    "UpdateTerminationProtection": support("StackName EnableTerminationProtection"),
    "ValidateTemplate": support(_SOURCE),
}


class CloudFormation:
    """Stacks over the wire. `resume` once the instance serves; `close` before it ends."""

    def __init__(self, ground: Ground) -> None:
        self.runs = Runs(ground)
        self._making = Making(ground, self.runs)
        self._change_sets = ChangeSets(ground, self.runs, self._making)
        self._describing = Describing(ground, self._change_sets)
        self._summaries = Summaries(ground)

    def operations(self) -> dict[tuple[str, str], Handler]:
        making, sets, describing = self._making, self._change_sets, self._describing
        handlers: dict[str, Handler] = {
            "CancelUpdateStack": making.cancel_update_stack,
            "ContinueUpdateRollback": making.continue_update_rollback,
            "CreateChangeSet": sets.create_change_set,
            "CreateStack": making.create_stack,
            "DeleteChangeSet": sets.delete_change_set,
            "DeleteStack": making.delete_stack,
            "DescribeChangeSet": sets.describe_change_set,
            "DescribeStackEvents": describing.describe_stack_events,
            "DescribeStackResource": describing.describe_stack_resource,
            "DescribeStackResources": describing.describe_stack_resources,
            "DescribeStacks": describing.describe_stacks,
            "ExecuteChangeSet": sets.execute_change_set,
            "GetTemplate": describing.get_template,
            "GetTemplateSummary": self._summaries.get_template_summary,
            "ListChangeSets": sets.list_change_sets,
            "ListExports": describing.list_exports,
            "ListImports": describing.list_imports,
            "ListStackResources": describing.list_stack_resources,
            "ListStacks": describing.list_stacks,
            "RollbackStack": making.rollback_stack,
            "UpdateStack": making.update_stack,
            "UpdateTerminationProtection": making.update_termination_protection,
            "ValidateTemplate": self._summaries.validate_template,
        }
        return guarded("cloudformation", TABLE, handlers)

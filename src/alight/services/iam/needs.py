"""Which permissions IAM's operations need: on the user, group, role or policy they are about, at its path (pure)."""

from __future__ import annotations

from alight import names
from alight.calls import Members


def iam_needs(operation: str, given: Members) -> list[tuple[str, str]]:
    """The actions of an operation, and on what."""
    resource = given.get("PolicyArn", "*")
    path = given.get("Path", "/")
    if "GroupName" in given:
        resource = str(names.Arn("iam", f"group{path}{given['GroupName']}", region=""))
    elif "RoleName" in given:
        resource = names.role_arn(given["RoleName"], path)
    elif "UserName" in given:
        resource = names.user_arn(given["UserName"], path)
    elif operation in ("ListGroups", "ListRoles", "ListUsers"):
        kind = operation.removeprefix("List").removesuffix("s").lower()
        resource = str(names.Arn("iam", f"{kind}{given.get('PathPrefix', '/')}", region=""))
    elif operation == "CreatePolicy":
        resource = str(names.Arn("iam", f"policy{given.get('Path', '/')}{given['PolicyName']}", region=""))
    asked = [(f"iam:{operation}", resource)]
    if operation in ("UpdateGroup", "UpdateUser"):
        # Whoever changes Bob to Robert needs permission for both.
        kind = operation.removeprefix("Update")
        name = given.get(f"New{kind}Name") or given[f"{kind}Name"]
        target = str(names.Arn("iam", f"{kind.lower()}{given.get('NewPath') or path}{name}", region=""))
        asked += [(f"iam:{operation}", target)] if target != resource else []
    return asked

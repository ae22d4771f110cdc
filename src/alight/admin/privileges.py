"""The smallest policy that a function's recorded calls needed, and what its role has beyond it.

What is recorded are the calls that were let in (`services.tracing`); to them comes what AWS's services do as the role:
logs, dead letters, destinations, queues that are read. Nothing is needed that nobody has done yet: run the function
through all of its cases first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alight.admin.http import Request
from alight.names import Arn
from alight.services.iam.service import Iam
from alight.services.lambda_ import destination_rules, mapping_rules
from alight.services.lambda_.catalogue import Catalogue
from alight.store.records import Records
from alight.store.telemetry import Telemetry

#: Runs that are looked at, newest first.
MOST_RUNS = 1_000

Json = dict[str, Any]
#: An action and the ARN (or `*`) that it is done to.
Need = tuple[str, str]
#: (policies, action, resource, condition keys) -> allowed.
Allowed = Callable[[Sequence[Json], str, str, Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Privileges:
    """The admin door's answer to `alight doctor --least-privilege`."""

    catalogue: Catalogue
    records: Records
    telemetry: Telemetry
    iam: Iam
    allowed: Allowed

    async def show(self, request: Request) -> Json:
        """The function's role, its least policy, what the role has beyond it, and on how many runs that rests."""
        body = self.catalogue.body(request.path["name"])
        await self.telemetry.flush()
        name, role = body["Configuration"]["FunctionName"], body["Configuration"]["Role"].rpartition("/")[2]
        runs = self.telemetry.invocations(function=name, limit=MOST_RUNS)
        needs, policies = {*self._recorded(runs), *self._served(name, body)}, self.iam.named_policies_of_role(role)
        least = widened(needs, policies)
        return {
            "function": name,
            "role": role,
            "runs": len(runs),
            "since": min((run["started"] for run in runs), default=None),
            "policy": policy(least),
            "beyond": beyond(policies, needs, least, self.allowed),
        }

    def _recorded(self, runs: Sequence[Json]) -> Iterable[Need]:
        for request in {run["request_id"] for run in runs}:
            for span in self.telemetry.spans(request):
                for need in span["attributes"].get("needs") or ():
                    action, _, resource = need.partition(" ")
                    yield action, resource

    def _served(self, name: str, body: Json) -> Iterable[Need]:
        """What AWS's services do with the role: nobody sees a call for it here."""
        group = body["Configuration"]["LoggingConfig"]["LogGroup"]
        for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents"):
            yield f"logs:{action}", str(Arn("logs", f"log-group:{group}:*"))
        targets = [(body["Configuration"].get("DeadLetterConfig") or {}).get("TargetArn")]
        destinations = (body["EventInvoke"] or {}).get("DestinationConfig") or {}
        targets += [(destinations.get(side) or {}).get("Destination") for side in ("OnSuccess", "OnFailure")]
        for target in filter(None, targets):
            yield destination_rules.ACTIONS[target.split(":")[2]], target
        for record in self.records.list(mapping_rules.KIND, limit=10_000):
            if record.body["FunctionArn"].split(":")[6] == name:
                for action in mapping_rules.ACTIONS:
                    yield action, record.body["EventSourceArn"]


# Pure ----------------------------------------------------------------------------------------------------------------

_OBJECT = re.compile(r"(arn:aws:s3:::[^/]+)/.*", re.DOTALL)
_STREAM = re.compile(r"(arn:aws:logs:[^:]*:[^:]*:log-group:[^:]*):log-stream:.*")


def widened(needs: Iterable[Need], policies: Iterable[tuple[str, Json]] = ()) -> set[Need]:
    """Objects become all of their bucket, log streams all of their group: the next key has another name. Where the
    role's own policies say of which of a bucket's objects, it stays with that."""
    granted = [
        resource
        for _, document in policies
        for statement in _listed(document["Statement"])
        for resource in _listed(statement.get("Resource", []))
        if statement["Effect"] == "Allow" and _OBJECT.fullmatch(resource)
    ]
    return {(action, _widened(resource, granted)) for action, resource in needs}


def _widened(resource: str, granted: Iterable[str]) -> str:
    found = _OBJECT.fullmatch(resource)
    if found is None:
        return _STREAM.sub(r"\1:*", resource)
    own = [one for one in granted if one.startswith(f"{found[1]}/") and _pattern(one).fullmatch(resource)]
    return max(own, key=len, default=f"{found[1]}/*")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def policy(needs: Iterable[Need]) -> Json:
    """As few statements as say it: the actions of each resource, and resources with the same actions together."""
    actions: dict[str, set[str]] = {}
    for action, resource in needs:
        actions.setdefault(resource, set()).add(action)
    resources: dict[tuple[str, ...], list[str]] = {}
    for resource, done in actions.items():
        resources.setdefault(tuple(sorted(done)), []).append(resource)
    statements = [
        {"Effect": "Allow", "Action": _plain(list(done)), "Resource": _plain(sorted(found))}
        for done, found in sorted(resources.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def beyond(policies: Iterable[tuple[str, Json]], needs: set[Need], least: set[Need], allowed: Allowed) -> list[Json]:
    """What statements allow that no call needed (`used` False), and what they allow more widely than `least` does."""
    known = {(action.lower(), resource) for action, resource in least}
    found = []
    for name, document in policies:
        for statement in _listed(document["Statement"]):
            for action, resource, part in _parts(statement):
                if (action.lower(), resource) not in known:
                    used = any(allowed([{"Statement": part}], *need, {}) for need in needs)
                    found.append({"policy": name, "action": action, "resource": resource, "used": used})
    return found


def _parts(statement: Json) -> Iterable[tuple[str, str, Json]]:
    """Each action of an Allow on each of its resources, as it is shown, and as a statement of its own."""
    if statement["Effect"] != "Allow":
        return
    for action_member, action_said in _either(statement, "Action"):
        for resource_member, resource_said in _either(statement, "Resource"):
            part = {"Effect": "Allow", action_member: action_said, resource_member: resource_said}
            yield _shown(action_member, action_said), _shown(resource_member, resource_said), part


def _either(statement: Json, member: str) -> list[tuple[str, Any]]:
    """Alternatives one by one; what is left out by `Not...` counts as a whole."""
    if member in statement:
        return [(member, one) for one in _listed(statement[member])]
    return [(f"Not{member}", statement[f"Not{member}"])]


def _shown(member: str, said: Any) -> str:
    return f"all but {', '.join(_listed(said))}" if member.startswith("Not") else str(said)


def _plain(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

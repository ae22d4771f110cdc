"""What functions, topics and queues say themselves of who may use them: their policy, or what a topic says without one.

A role that calls is judged by the gateway's authorizer, which asks for the documents here. A service of AWS that acts
by itself (S3 tells a queue, SNS delivers to one) has no identity policy: it is let in by the resource's policy alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from alight.calls import Members
from alight.names import ACCOUNT, parse_arn
from alight.notifications.message import TOPIC
from alight.services.lambda_.catalogue import ALIAS, FUNCTION, VERSION
from alight.services.lambda_.qualifiers import LATEST, is_version, place
from alight.store.database import Tx
from alight.store.made import Made
from alight.store.records import Records

QUEUE = "sqs:queue"

S3, SNS = "s3.amazonaws.com", "sns.amazonaws.com"
INVOKE, PUBLISH, SEND = "lambda:InvokeFunction", "sns:Publish", "sqs:SendMessage"

#: (policy, service principal, action, resource ARN, condition keys) -> whether the policy lets the service do this.
ServiceMay = Callable[[Members, str, str, str, Mapping[str, str]], bool]

#: Answers that are kept.
REMEMBERED = 4_096

_OWNER_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


def default_topic_policy(arn: str) -> dict[str, Any]:
    """The policy of a topic that was given none: its owner may do everything, other services of AWS nothing."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _OWNER_ACTIONS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


class ResourcePolicies:
    """The policies of functions, topics and queues, as their records have them. The writer's thread may ask, too."""

    def __init__(self, records: Records, may: ServiceMay) -> None:
        self._records = records
        self._may = may
        self._known: dict[tuple[str, str, str], tuple[str, bool]] = {}
        self._texts: Made[str] = Made()

    def policies_of(self, resource: str) -> Sequence[Members]:
        """The policy of the function, topic or queue that an ARN names; nothing where it is none or says nothing."""
        text = self._text(resource)
        return (_parsed(text),) if text else ()

    def admits(self, service: str, action: str, resource: str, source_arn: str, tx: Tx | None = None) -> bool:
        """Whether `resource` (a function, topic or queue) lets `service` do `action` on behalf of `source_arn`."""
        text = self._text(resource, tx)
        place = (action, resource, source_arn)
        known = self._known.get(place)
        if known is None or known[0] != text:
            context = {"aws:SourceArn": source_arn, "aws:SourceAccount": ACCOUNT}
            known = text, bool(text) and self._may(_parsed(text), service, action, resource, context)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[place] = known
        return known[1]

    def _text(self, resource: str, tx: Tx | None = None) -> str:
        try:
            arn = parse_arn(resource)
        except ValueError:
            return ""
        if arn.service == "lambda":
            return self._of_function(arn.resource, tx)
        if arn.service not in ("sns", "sqs"):
            return ""
        if arn.service == "sns":
            return self._read(TOPIC, resource, tx, lambda body: _set_policy(body) or _default_text(resource))
        return self._read(QUEUE, arn.resource, tx, _set_policy)

    def _of_function(self, resource: str, tx: Tx | None) -> str:
        """`resource` is `function:NAME`, with a version or an alias behind it where one has a policy of its own."""
        kind, _, called = resource.partition(":")
        name, _, qualifier = called.partition(":")
        if kind != "function":
            return ""
        if qualifier and qualifier != LATEST:
            held = (VERSION if is_version(qualifier) else ALIAS, place(name, qualifier))
        else:
            held = (FUNCTION, name)
        return self._read(*held, tx, _added_statements)

    def _read(self, kind: str, name: str, tx: Tx | None, text: Callable[[Members], str]) -> str:
        """The policy in a definition's body; nothing where there is no such definition."""

        def read() -> str:
            record = self._records.get(kind, name, tx)
            return text(record.body) if record else ""

        return self._texts.get((kind, name, tx is not None), self._records.revision(kind, name, tx), read)


def _set_policy(body: Members) -> str:
    """The policy that a topic or a queue was given."""
    return str(body["Settings"].get("Policy") or "")


def _added_statements(body: Members) -> str:
    """The policy that a function's permissions come to."""
    statements = list(body["Policy"].values())
    return json.dumps({"Statement": statements}) if statements else ""


@lru_cache(maxsize=REMEMBERED)
def _parsed(text: str) -> Members:
    """A document, to be read only: every call to what it protects asks for it."""
    policy: Members = json.loads(text)
    return policy


@lru_cache(maxsize=REMEMBERED)
def _default_text(topic: str) -> str:
    return json.dumps(default_topic_policy(topic))

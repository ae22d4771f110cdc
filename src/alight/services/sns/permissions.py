"""AddPermission and RemovePermission: what other accounts may do to a topic, as statements of its policy."""

from __future__ import annotations

import json
from collections.abc import Callable

from alight.calls import Call, Members
from alight.errors.sns import InvalidParameter, NotFound
from alight.notifications.message import TOPIC, Topic, to_topic
from alight.services import permission_statements as statements
from alight.services.resource_policies import default_topic_policy
from alight.services.sns.topics import TopicOperations
from alight.store.database import Database, Tx
from alight.store.records import Records

#: (topic, its policy) -> the policy that it has from then on.
Change = Callable[[Topic, Members], Members]

#: What a topic's policy may grant to others.
ACTIONS = frozenset(
    {
        "AddPermission",
        "DeleteTopic",
        "GetTopicAttributes",
        "ListSubscriptionsByTopic",
        "ListTagsForResource",
        "Publish",
        "Receive",
        "RemovePermission",
        "SetTopicAttributes",
        "Subscribe",
    }
)


class PermissionOperations:
    """The statements are part of the topic's record."""

    def __init__(self, database: Database, records: Records, topics: TopicOperations) -> None:
        self._database = database
        self._records = records
        self._topics = topics

    async def add_permission(self, call: Call, given: Members) -> Members:
        label, actions, accounts = given["Label"], given["ActionName"], given["AWSAccountId"]
        if not actions or not set(actions) <= ACTIONS:
            raise InvalidParameter("Invalid parameter: Policy statement action out of service scope!")
        if not accounts or not all(statements.is_account(account) for account in accounts):
            raise InvalidParameter("Invalid parameter: Policy Error: PrincipalNotFound")

        def change(topic: Topic, policy: Members) -> Members:
            if statements.has_label(policy, label):
                raise InvalidParameter("Invalid parameter: Statement already exists")
            return statements.with_statement(policy, label, accounts, [f"SNS:{name}" for name in actions], topic.arn)

        await self._change(given["TopicArn"], change)
        return {}

    async def remove_permission(self, call: Call, given: Members) -> Members:
        """A label that is not there is as good as removed."""
        await self._change(
            given["TopicArn"], lambda topic, policy: statements.without_statement(policy, given["Label"])
        )
        return {}

    async def _change(self, arn: str, change: Change) -> None:
        topic = self._topics.find(arn)

        def job(tx: Tx) -> None:
            record = self._records.get(TOPIC, topic.arn, tx)
            if record is None:
                raise NotFound()
            known = to_topic(record.body)
            text = known.settings.get("Policy") or json.dumps(default_topic_policy(known.arn))
            changed = json.dumps(change(known, json.loads(text)))
            settings = {**known.settings, "Policy": changed}
            self._records.put(tx, TOPIC, known.arn, Topic(known.arn, settings, known.tags).body())

        await self._database.write(job)

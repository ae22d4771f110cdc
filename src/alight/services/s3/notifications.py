"""A bucket's notification configuration: who is told of its changes."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.events.event import announcement
from alight.events.match import rules
from alight.names import parse_arn
from alight.services.s3.ground import Ground
from alight.services.s3.validation import check_targets, normalised
from alight.store.database import Tx


class Notifications:
    """Get and put the configuration; new topics and queues are sent S3's test event."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketNotificationConfiguration": self.get_configuration,
            "PutBucketNotificationConfiguration": self.put_configuration,
        }

    async def get_configuration(self, call: Call, given: Members) -> Members:
        return dict(self._ground.bucket(given).settings.get("notification") or {})

    async def put_configuration(self, call: Call, given: Members) -> Members:
        """The whole configuration is replaced; an empty one switches notifications off."""
        name = self._ground.bucket(given).name
        configuration = normalised(given["NotificationConfiguration"] or {})
        skip = bool(given.get("SkipDestinationValidation"))
        if not skip:
            check_targets(rules(configuration), name, self._ground.target_exists)

        def job(tx: Tx) -> None:
            known = rules(self._ground.require(tx, name).settings.get("notification") or {})
            self._ground.objects.set_setting(tx, name, "notification", configuration or None)
            if not skip:
                self._announce(tx, call, name, configuration, {rule.target for rule in known})

        await self._ground.database.write(job)
        return {}

    def _announce(self, tx: Tx, call: Call, bucket: str, configuration: Members, known: set[str]) -> None:
        # Targets that were told before are not told again: applying a template twice is not news.
        said = announcement(bucket, self._ground.clock.now(), call.request_id)
        for rule in {rule.target: rule for rule in rules(configuration)}.values():
            if rule.target not in known and parse_arn(rule.target).service in ("sns", "sqs"):
                self._ground.emit(tx, rule.target, said, rule)

"""Buckets."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Only, Refused, Table
from alight.stacks.tables.kinds import NO_OWN_KEYS, TAGS, TEXT, N

_RULES = {"S3Key": {"Rules": [{"Name": TEXT, "Value": TEXT}]}}
_BUCKET: Table = {
    "BucketName": TEXT,
    "NotificationConfiguration": {
        "LambdaConfigurations": [{"Event": TEXT, "Function": TEXT, "Filter": _RULES}],
        "TopicConfigurations": [{"Event": TEXT, "Topic": TEXT, "Filter": _RULES}],
        "QueueConfigurations": [{"Event": TEXT, "Queue": TEXT, "Filter": _RULES}],
        "EventBridgeConfiguration": Refused("there is no EventBridge here; name the function, topic or queue."),
    },
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": N,
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": Only(("AES256",), "only AES256 (S3's default) is taken.", neutral=True),
                    "KMSMasterKeyID": NO_OWN_KEYS,
                },
            }
        ]
    },
    "PublicAccessBlockConfiguration": N,  # nothing is public here that a policy did not open
    "OwnershipControls": N,  # one account owns everything
    "VersioningConfiguration": {"Status": Only(("Suspended",), "versioning is not offered yet.", neutral=True)},
    "AccessControl": Only(("Private", "BucketOwnerFullControl"), "public buckets are not offered yet.", neutral=True),
    "CorsConfiguration": Refused("CORS of buckets is not offered yet."),
    "WebsiteConfiguration": Refused("static websites are not offered yet."),
    "LifecycleConfiguration": Refused("lifecycle rules are not offered yet: nothing would expire."),
    "ReplicationConfiguration": Refused("replication is not offered."),
    "ObjectLockEnabled": Only(("false",), "object lock is not offered: objects could be deleted.", neutral=True),
    "ObjectLockConfiguration": Refused("object lock is not offered: objects could be deleted."),
    "LoggingConfiguration": Refused("access logs into a bucket are not offered."),
    "InventoryConfigurations": Refused("inventories are not offered."),
    "AccelerateConfiguration": N,
    "AnalyticsConfigurations": N,
    "IntelligentTieringConfigurations": N,
    "MetricsConfigurations": N,
    "Tags": TAGS,
}
_RULE = "NotificationConfiguration.{0}Configurations.*.{1}"

TABLES: Mapping[str, Table] = {
    "AWS::S3::Bucket": _BUCKET,
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::S3::Bucket": (
        *(_RULE.format(kind, "Event") for kind in ("Lambda", "Topic", "Queue")),
        *(
            _RULE.format(kind, target)
            for kind, target in (("Lambda", "Function"), ("Topic", "Topic"), ("Queue", "Queue"))
        ),
    ),
}

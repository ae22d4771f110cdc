"""Buckets and their policies."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Only, Refused, Table
from alight.stacks.tables.kinds import DOCUMENT, FLAG, NO_OWN_KEYS, TAGS, TEXT, TEXTS, WHOLE, N

_RULES = {"S3Key": {"Rules": [{"Name": TEXT, "Value": TEXT}]}}
_ONE_CLASS = Refused("objects are kept in one storage class; rules can only let them expire.")
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
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": FLAG,
        "BlockPublicPolicy": FLAG,
        "IgnorePublicAcls": FLAG,
        "RestrictPublicBuckets": FLAG,
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": TEXT}]},
    "VersioningConfiguration": {"Status": TEXT},
    "AccessControl": Only(
        ("Private", "BucketOwnerFullControl", "PublicRead"),
        "only Private, BucketOwnerFullControl and PublicRead are offered; use a bucket policy.",
    ),
    "CorsConfiguration": {
        "CorsRules": [
            {
                "AllowedHeaders": TEXTS,
                "AllowedMethods": TEXTS,
                "AllowedOrigins": TEXTS,
                "ExposedHeaders": TEXTS,
                "Id": TEXT,
                "MaxAge": WHOLE,
            }
        ]
    },
    "WebsiteConfiguration": {
        "ErrorDocument": TEXT,
        "IndexDocument": TEXT,
        "RedirectAllRequestsTo": {"HostName": TEXT, "Protocol": TEXT},
        "RoutingRules": [
            {
                "RedirectRule": {
                    "HostName": TEXT,
                    "HttpRedirectCode": TEXT,
                    "Protocol": TEXT,
                    "ReplaceKeyPrefixWith": TEXT,
                    "ReplaceKeyWith": TEXT,
                },
                "RoutingRuleCondition": {"HttpErrorCodeReturnedEquals": TEXT, "KeyPrefixEquals": TEXT},
            }
        ],
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": WHOLE},
                "ExpirationDate": TEXT,
                "ExpirationInDays": WHOLE,
                "ExpiredObjectDeleteMarker": FLAG,
                "Id": TEXT,
                "NoncurrentVersionExpiration": {"NewerNoncurrentVersions": WHOLE, "NoncurrentDays": WHOLE},
                "NoncurrentVersionExpirationInDays": WHOLE,
                "NoncurrentVersionTransition": _ONE_CLASS,
                "NoncurrentVersionTransitions": _ONE_CLASS,
                "ObjectSizeGreaterThan": WHOLE,
                "ObjectSizeLessThan": WHOLE,
                "Prefix": TEXT,
                "Status": TEXT,
                "TagFilters": [{"Key": TEXT, "Value": TEXT}],
                "Transition": _ONE_CLASS,
                "Transitions": _ONE_CLASS,
            }
        ],
        "TransitionDefaultMinimumObjectSize": N,
    },
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
    "AWS::S3::BucketPolicy": {"Bucket": TEXT, "PolicyDocument": DOCUMENT},
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::S3::Bucket": (
        *(_RULE.format(kind, "Event") for kind in ("Lambda", "Topic", "Queue")),
        *(
            _RULE.format(kind, target)
            for kind, target in (("Lambda", "Function"), ("Topic", "Topic"), ("Queue", "Queue"))
        ),
        "CorsConfiguration.CorsRules.*.AllowedMethods",
        "CorsConfiguration.CorsRules.*.AllowedOrigins",
        "OwnershipControls.Rules.*.ObjectOwnership",
        "VersioningConfiguration.Status",
        "LifecycleConfiguration.Rules.*.Status",
        "WebsiteConfiguration.RedirectAllRequestsTo.HostName",
        "WebsiteConfiguration.RoutingRules.*.RedirectRule",
    ),
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
}

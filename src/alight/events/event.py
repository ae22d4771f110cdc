"""The S3 event record, equal to AWS's field by field: what a handler written for AWS reads.

Pure: a change to one object goes in, the JSON that functions, topics and queues receive comes out. The walk passes
here inside the transaction that writes the object's row, so record and object exist together or not at all.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from alight.clock import iso_millis
from alight.names import REGION, bucket_arn

CREATED_PUT = "ObjectCreated:Put"
CREATED_POST = "ObjectCreated:Post"
CREATED_COPY = "ObjectCreated:Copy"
CREATED_MULTIPART = "ObjectCreated:CompleteMultipartUpload"
REMOVED_DELETE = "ObjectRemoved:Delete"
REMOVED_MARKER = "ObjectRemoved:DeleteMarkerCreated"
LIFECYCLE_DELETE = "LifecycleExpiration:Delete"
LIFECYCLE_MARKER = "LifecycleExpiration:DeleteMarkerCreated"
TAGGING_PUT = "ObjectTagging:Put"
TAGGING_DELETE = "ObjectTagging:Delete"
ACL_PUT = "ObjectAcl:Put"

# AWS raised the version with each later family of events and left the older ones where they were.
_LATER_FAMILIES = ("ObjectTagging:", "ObjectAcl:", "LifecycleExpiration:")


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object, and by whom.

    `name` is without the leading `s3:`; `when` is in seconds since 1970; `size`, `etag` (bare hex) and `sequencer`
    are None where AWS's record has no such field (deletes have no size and no eTag, tagging has no sequencer).
    """

    name: str
    bucket: str
    key: str
    when: float
    request_id: str
    principal_id: str
    source_ip: str
    owner_id: str
    size: int | None = None
    etag: str | None = None
    sequencer: str | None = None
    version_id: str | None = None
    region: str = REGION
    #: The event on whose behalf a worker did it, which the record does not say.
    cause: str = ""


def encoded_key(key: str) -> str:
    """The key as records carry it: `unquote_plus` gives the key back, slashes stay readable."""
    return quote_plus(key, safe="/")


def host_id(request_id: str) -> str:
    """The `x-amz-id-2` of a request, as its response carries it."""
    return base64.b64encode(request_id.encode()).decode()


def record(change: Change, configuration_id: str) -> dict[str, Any]:
    """One element of `Records`, for the notification rule named `configuration_id`."""
    return {
        "eventVersion": "2.3" if change.name.startswith(_LATER_FAMILIES) else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": change.region,
        "eventTime": iso_millis(change.when),
        "eventName": change.name,
        "userIdentity": {"principalId": change.principal_id},
        "requestParameters": {"sourceIPAddress": change.source_ip},
        "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": host_id(change.request_id)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": change.owner_id},
                "arn": bucket_arn(change.bucket),
            },
            "object": _object(change),
        },
    }


def _object(change: Change) -> dict[str, Any]:
    fields = {
        "key": encoded_key(change.key),
        "size": change.size,
        "eTag": change.etag,
        "versionId": change.version_id,
        "sequencer": change.sequencer,
    }
    return {name: value for name, value in fields.items() if value is not None}


def payload(change: Change, configuration_id: str) -> dict[str, Any]:
    """What the target receives: S3 sends one record at a time."""
    return {"Records": [record(change, configuration_id)]}


def announcement(bucket: str, when: float, request_id: str) -> dict[str, Any]:
    """What S3 sends to each topic and queue when it becomes a target (functions get none)."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso_millis(when),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": host_id(request_id),
    }

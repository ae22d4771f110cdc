"""Lifecycle configurations as boto3 writes and reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.wire.running_s3 import running_s3

RULES = [
    {
        "ID": "by date",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "tmp/", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]}},
        "Expiration": {"Date": datetime(2099, 1, 1, tzinfo=UTC)},
    },
    {
        "ID": "everything",
        "Status": "Enabled",
        "Filter": {},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {
        "ID": "markers",
        "Status": "Disabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    },
    {"ID": "small", "Status": "Enabled", "Filter": {"ObjectSizeLessThan": 3}, "Expiration": {"Days": 1}},
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_s3(tmp_path_factory.mktemp("lifecycle")) as here:
        client = here.client()
        client.create_bucket(Bucket="rules")
        yield client


def test_rules_come_back_as_they_were_put(s3: Any) -> None:
    with pytest.raises(ClientError) as none:
        s3.get_bucket_lifecycle_configuration(Bucket="rules")
    assert none.value.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"
    s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": RULES})
    assert s3.get_bucket_lifecycle_configuration(Bucket="rules")["Rules"] == RULES
    assert 'rule-id="small"' in s3.put_object(Bucket="rules", Key="k", Body=b"x")["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket="rules", Key="k", Body=b"large")
    tagged = s3.put_object(Bucket="rules", Key="tmp/k", Body=b"large", Tagging="a=b&c=")
    assert tagged["Expiration"] == 'expiry-date="Thu, 01 Jan 2099 00:00:00 GMT", rule-id="by%20date"'
    assert s3.create_multipart_upload(Bucket="rules", Key="k")["AbortRuleId"] == "everything"
    glacier = [RULES[3] | {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}]
    with pytest.raises(ClientError, match="Transitions") as refused:
        s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": glacier})
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    older = [{"ID": "older", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": older})
    assert s3.get_bucket_lifecycle_configuration(Bucket="rules")["Rules"] == older
    s3.delete_bucket_lifecycle(Bucket="rules")
    assert "Expiration" not in s3.head_object(Bucket="rules", Key="k")

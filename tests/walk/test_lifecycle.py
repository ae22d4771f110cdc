"""A template's bucket that keeps versions and lets them expire: the runtime does it by itself, and says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import Start, eventually

TEMPLATE = """\
Resources:
  Kept:
    Type: AWS::S3::Bucket
    DependsOn: MayTell
    Properties:
      BucketName: kept
      VersioningConfiguration: {Status: Enabled}
      LifecycleConfiguration:
        Rules: [{Id: past, Status: Enabled, Prefix: tmp/, ExpirationDate: "2020-01-01T00:00:00Z"}]
      NotificationConfiguration:
        QueueConfigurations: [{Event: "s3:LifecycleExpiration:*", Queue: !GetAtt Told.Arn}]
  Told: {Type: AWS::SQS::Queue}
  MayTell:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Told]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: s3.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Told.Arn
            Condition: {ArnLike: {"aws:SourceArn": "arn:aws:s3:*:*:kept"}}
Outputs:
  Queue: {Value: !Ref Told}
"""


def test_objects_expire_by_themselves(start: Start, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    first = start(tmp_path / "template.yaml", tmp_path / "data")
    s3 = first.client("s3")
    version = s3.put_object(Bucket="kept", Key="tmp/a", Body=b"old")["VersionId"]
    s3.put_object(Bucket="kept", Key="stays", Body=b"old")
    first.kill()
    second = start(tmp_path / "template.yaml", tmp_path / "data")
    s3 = second.client("s3")

    def marked() -> Any:
        return s3.list_object_versions(Bucket="kept", Prefix="tmp/").get("DeleteMarkers")

    [marker] = eventually(marked, what="the marker")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="kept")["Contents"]] == ["stays"]
    with s3.get_object(Bucket="kept", Key="tmp/a", VersionId=version)["Body"] as stream:
        assert stream.read() == b"old"
    sqs, queue = second.client("sqs"), second.json("outputs")["Queue"]
    told = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    records = [record for message in told for record in json.loads(message["Body"]).get("Records", [])]
    [record] = records
    assert (record["eventName"], record["s3"]["object"]["versionId"]) == (
        "LifecycleExpiration:DeleteMarkerCreated",
        marker["VersionId"],
    )

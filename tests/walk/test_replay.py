"""Objects that are there already meet a changed function: told again, compared, and nobody hears of it twice."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

import pytest

from alight.cli.instance import open_door
from alight.events.event import CREATED_MULTIPART, CREATED_PUT
from tests.support import Instance, eventually
from tests.walk.conftest import PICTURES, Birds
from tests.walk.making import events
from tests.walk.sinks import Webhook

PICTURE = next(iter(PICTURES.values()))
CHANGED = b"""
import os
import boto3
sns = boto3.client("sns")
def handler(event, context):
    key = event["Records"][0]["s3"]["object"]["key"]
    sns.publish(TopicArn=os.environ["SNS_TOPIC_ARN"], Message=f"Bird [{key}] is a: Dodo(1.00)")
    return "dodo"
"""


def replayed(instance: Instance, *words: str) -> list[dict[str, Any]]:
    answer = instance.alight("events", "replay", *words, "--json")
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def succeeded(instance: Instance, number: int) -> bool:
    books = instance.json("status")["books"]
    return bool(books["succeeded"] == number == books["accepted"])


def put_in_parts(birds: Birds, key: str, picture: bytes) -> None:
    s3, where = birds.instance.client("s3"), {"Bucket": birds.outputs["BucketName"], "Key": key}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=picture)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)


def records(instance: Instance, replayed: bool) -> dict[str, dict[str, Any]]:
    """The record of each key, as functions got it at first, or by a replay."""
    door, found = open_door(instance.data), {}
    for event in events(instance):
        if bool(event["source"].get("replay")) == replayed:
            (record,) = door.get(f"events/{event['id']}")["payload"]["Records"]
            found[unquote_plus(record["s3"]["object"]["key"])] = record
    return found


def chosen(birds: Birds, oldest: str, first: dict[str, dict[str, Any]]) -> list[str]:
    """What a replay since the moment at which `oldest` came would tell of."""
    since = datetime.fromisoformat(first[oldest]["eventTime"]).timestamp()
    wanted = {"bucket": birds.outputs["BucketName"], "since": since, "dry_run": True}
    return [line["key"] for line in list(open_door(birds.instance.data).lines("events/replay", wanted))[1:]]


@pytest.mark.timeout(180)
def test_a_changed_function_meets_what_the_old_one_has_seen(birds: Birds, hook: Webhook) -> None:
    instance, bucket = birds.instance, birds.outputs["BucketName"]
    birds.subscribe(hook)
    keys = [f"birds/a {number}.jpg" for number in range(3)]
    birds.put(keys[0], PICTURE)
    put_in_parts(birds, keys[1], PICTURE)
    birds.instance.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    birds.put(keys[2], PICTURE)
    birds.put("other/d.jpg", PICTURE)
    eventually(lambda: succeeded(instance, 3), what="the first runs")
    with hook.changed:
        assert hook.changed.wait_for(lambda: len(hook.arrivals) == 3, 60)

    first = records(instance, replayed=False)
    assert chosen(birds, keys[0], first) == keys
    assert chosen(birds, keys[1], first) == keys[1:]
    assert replayed(instance, "--bucket", bucket, "--since", "0s", "--dry-run") == [{"matched": 0}]
    assert replayed(instance, "--bucket", bucket, "--since", "1h", "--dry-run") == [
        {"matched": 3},
        *({"key": key} for key in keys),
    ]
    assert replayed(instance, "--bucket", bucket, "--prefix", "other/") == [{"matched": 0}]
    same = replayed(instance, "--bucket", bucket, "--prefix", "birds/", "--compare", "--quiet", "--rate", "50")
    assert same[:2] == [{"matched": 3}, {"told": 3}]
    assert [line["same"] for line in same[2:]] == [True] * 3
    # The same record, down to its time and sequencer, but for the request that it came with.
    again = records(instance, replayed=True)
    assert [first[key]["eventName"] for key in keys] == [CREATED_PUT, CREATED_MULTIPART, CREATED_PUT]
    assert ["versionId" in first[key]["s3"]["object"] for key in keys] == [False, False, True]
    for key in keys:
        assert again[key].pop("responseElements") != first[key].pop("responseElements")
    assert again == first

    functions = instance.client("lambda")
    name = functions.list_functions()["Functions"][0]["FunctionName"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("changed.py", CHANGED)
    functions.update_function_code(FunctionName=name, ZipFile=packed.getvalue())
    functions.update_function_configuration(FunctionName=name, Handler="changed.handler")
    changed = replayed(instance, "--bucket", bucket, "--sample", "2", "--compare", "--quiet")
    assert [line["same"] for line in changed[2:]] == [False] * 2
    assert all(
        "Dodo" in line["new"]["messages"][0] and "Dodo" not in line["old"]["messages"][0] for line in changed[2:]
    )

    # A quiet event told nobody; one that is not quiet is told, after everything before it.
    one = unquote_plus(changed[2]["key"])
    told = instance.alight("events", "replay", "--bucket", bucket, "--prefix", one, "--compare")
    assert "1 same" in told.stdout
    with hook.changed:
        assert hook.changed.wait_for(lambda: any("Dodo" in arrival.message for arrival in hook.arrivals), 60)
    assert len(hook.arrivals) == 4
    eventually(lambda: succeeded(instance, 3 + 3 + 2 + 1), what="every run")


def test_a_replay_that_makes_no_sense_is_refused(birds: Birds) -> None:
    for words in ((), ("some-id", "--bucket", "b"), ("--bucket", "nobodys"), ("--bucket", "b", "--since", "soon")):
        answer = birds.instance.alight("events", "replay", *words)
        assert answer.returncode == 1
        assert answer.stderr.count("\n") <= 2

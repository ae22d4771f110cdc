"""Buckets that keep versions, as boto3 and the aws command line see them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.loaded import Loaded
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import aws_environment

RULE = {
    "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("versions")) as here:
        yield here


@pytest.fixture
def s3(running: Running) -> Any:
    return running.client()


def bucket_of(s3: Any, name: str, status: str = "Enabled") -> str:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == status
    return name


def refused(problem: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = problem.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def body(s3: Any, bucket: str, **given: Any) -> bytes:
    with s3.get_object(Bucket=bucket, Key="k", **given)["Body"] as stream:
        data: bytes = stream.read()
    return data


def test_each_write_is_a_version_that_can_be_read_and_restored(s3: Any) -> None:
    bucket = bucket_of(s3, "writes")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"two", Tagging="a=b")["VersionId"]
    assert (body(s3, bucket), body(s3, bucket, VersionId=first)) == (b"two", b"one")
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == second
    assert s3.head_object(Bucket=bucket, Key="k", VersionId=first)["VersionId"] == first
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging={"TagSet": [{"Key": "c", "Value": "d"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)["TagSet"] == [{"Key": "c", "Value": "d"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    facts = s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (facts["VersionId"], facts["ObjectSize"]) == (first, 3)
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first})
    assert copied["CopySourceVersionId"] == first
    assert body(s3, bucket) == b"one"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"parts")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    whole = s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    expected = [whole["VersionId"], copied["VersionId"], second, first]
    assert [one["VersionId"] for one in listed] == expected
    assert [one["IsLatest"] for one in listed] == [True, False, False, False]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [one["VersionId"] for page in pages for one in page["Versions"]] == expected
    for version in ("0" * 16 + "f" * 16, "rubbish"):
        with pytest.raises(ClientError) as problem:
            body(s3, bucket, VersionId=version)
        code = ("NoSuchVersion", 404) if version != "rubbish" else ("InvalidArgument", 400)
        assert refused(problem) == code


def test_a_deleted_key_is_marked_and_comes_back_without_its_marker(s3: Any) -> None:
    bucket = bucket_of(s3, "marks")
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    gone = s3.delete_object(Bucket=bucket, Key="k")
    marker = gone["VersionId"]
    assert gone["DeleteMarker"] is True
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError) as problem:
        body(s3, bucket)
    assert refused(problem) == ("NoSuchKey", 404)
    headers = problem.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    with pytest.raises(ClientError) as problem:
        body(s3, bucket, VersionId=marker)
    assert refused(problem) == ("MethodNotAllowed", 405)
    assert problem.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as problem:
        s3.head_object(Bucket=bucket, Key="k")
    assert refused(problem) == ("404", 404)
    with pytest.raises(ClientError, match="delete marker by version id"):
        s3.copy_object(Bucket=bucket, Key="j", CopySource={"Bucket": bucket, "Key": "k", "VersionId": marker})
    assert body(s3, bucket, VersionId=version) == b"one"
    [found] = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert (found["VersionId"], found["IsLatest"], found["Key"]) == (marker, True, "k")
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, marker)
    assert body(s3, bucket) == b"one"
    with pytest.raises(ClientError) as problem:
        s3.delete_bucket(Bucket=bucket)
    assert refused(problem) == ("BucketNotEmpty", 409)
    wanted = {"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": version}, {"Key": "k", "VersionId": "rubbish"}]}
    told = s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert [one["Code"] for one in told["Errors"]] == ["InvalidArgument"]
    new, removed = told["Deleted"]
    assert (new["Key"], new["DeleteMarker"]) == ("k", True)
    assert (removed["VersionId"], "DeleteMarker" in removed) == (version, False)
    again = {"Objects": [{"Key": "k", "VersionId": new["DeleteMarkerVersionId"]}]}
    [last] = s3.delete_objects(Bucket=bucket, Delete=again)["Deleted"]
    assert (last["VersionId"], last["DeleteMarkerVersionId"]) == (new["DeleteMarkerVersionId"],) * 2
    s3.delete_bucket(Bucket=bucket)


def test_suspended_versions_are_the_null_one(s3: Any) -> None:
    bucket = bucket_of(s3, "pauses")
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert [s3.put_object(Bucket=bucket, Key="k", Body=text)["VersionId"] for text in (b"x", b"y")] == ["null"] * 2
    assert (body(s3, bucket, VersionId="null"), body(s3, bucket, VersionId=kept)) == (b"y", b"kept")
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    found = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in found["DeleteMarkers"] + found["Versions"]] == ["null", kept]


def test_events_name_the_version(running: Running, s3: Any) -> None:
    bucket = bucket_of(s3, "tells")
    rules = {"LambdaFunctionConfigurations": [RULE]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=rules)
    running.events.clear()
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=version, Tagging={"TagSet": []})
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    told = [(one["eventName"], one["s3"]["object"]["versionId"]) for one in running.events]
    assert told == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectTagging:Put", version),
        ("ObjectRemoved:Delete", version),
    ]
    marked = running.events[1]["s3"]["object"]
    assert (marked["eTag"], "size" in marked) == ("d41d8cd98f00b204e9800998ecf8427e", False)
    order = [int(running.events[number]["s3"]["object"]["sequencer"], 16) for number in (0, 1, 3)]
    assert order == sorted(order)


def test_a_bucket_without_versions_shows_none(s3: Any) -> None:
    s3.create_bucket(Bucket="plain")
    assert "VersionId" not in s3.put_object(Bucket="plain", Key="k", Body=b"one")
    assert "VersionId" not in s3.head_object(Bucket="plain", Key="k", VersionId="null")
    [found] = s3.list_object_versions(Bucket="plain")["Versions"]
    assert (found["VersionId"], found["IsLatest"]) == ("null", True)
    with pytest.raises(ClientError, match="version-id marker cannot be specified without"):
        s3.list_object_versions(Bucket="plain", VersionIdMarker="null")
    with pytest.raises(ClientError, match="MFADelete") as problem:
        s3.put_bucket_versioning(
            Bucket="plain", VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}
        )  # fmt: skip
    assert refused(problem) == ("NotImplemented", 501)
    assert "DeleteMarker" not in s3.delete_object(Bucket="plain", Key="k", VersionId="null")
    assert "Versions" not in s3.list_object_versions(Bucket="plain")


def test_all_versions_of_a_bucket_are_deleted_page_by_page(running: Running, s3: Any) -> None:
    bucket = bucket_of(s3, "emptied")
    for key in ("a", "a", "b", "b", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}):
        every = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        wanted = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in every]
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.tool("aws")
def test_the_command_line(running: Running, s3: Any, tmp_path: Path, loaded: Loaded) -> None:
    bucket, program = bucket_of(s3, "cli"), loaded("aws")

    def aws(*words: str) -> Any:
        command = [program, *words, "--endpoint-url", running.url]
        said = subprocess.run(
            command, env=aws_environment(tmp_path), capture_output=True, text=True, timeout=60, check=True
        ).stdout
        return json.loads(said) if said.startswith("{") else said

    (tmp_path / "file").write_text("text")
    aws("s3", "cp", str(tmp_path / "file"), f"s3://{bucket}/file")
    aws("s3", "rm", f"s3://{bucket}/file")
    found = aws("s3api", "list-object-versions", "--bucket", bucket)
    version = found["Versions"][0]["VersionId"]
    assert found["DeleteMarkers"][0]["IsLatest"] is True
    into = str(tmp_path / "back")
    aws("s3api", "get-object", "--bucket", bucket, "--key", "file", "--version-id", version, into)
    assert Path(into).read_text() == "text"
    assert aws("s3api", "get-bucket-versioning", "--bucket", bucket) == {"Status": "Enabled"}

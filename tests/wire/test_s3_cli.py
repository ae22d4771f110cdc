"""S3 as the aws command line uses it: version 1 of this environment, version 2 where the system has it."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loaded import Loaded
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import AWS_PROGRAMS, aws_environment

Aws = Callable[..., str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("data")) as here:
        yield here


@pytest.fixture(params=AWS_PROGRAMS)
def aws(request: pytest.FixtureRequest, running: Running, tmp_path: Path, loaded: Loaded) -> Aws:
    """`aws("s3", "ls")`: the output of a command that must succeed."""
    program = loaded(request.param)
    environment = aws_environment(tmp_path, AWS_ENDPOINT_URL=running.url)

    # Debian's version 2 is older than AWS_ENDPOINT_URL.
    where = ["--endpoint-url", running.url] if request.param == "aws2" else []

    def run(*words: str, data: bytes | None = None) -> str:
        done = subprocess.run([program, *where, *words], capture_output=True, env=environment, input=data, timeout=100)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


@pytest.fixture
def bucket(running: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"b-{abs(hash(request.node.nodeid)):x}"
    s3 = running.client()
    s3.create_bucket(Bucket=name)
    yield name
    for row in s3.list_objects_v2(Bucket=name).get("Contents", ()):
        s3.delete_object(Bucket=name, Key=row["Key"])
    s3.delete_bucket(Bucket=name)


def test_a_picture_up_and_down(aws: Aws, running: Running, bucket: str, tmp_path: Path) -> None:
    picture = tmp_path / "card ü.jpg"
    picture.write_bytes(bytes(range(256)) * 40_000)  # 9.8 MiB: goes up in parts
    aws("s3", "cp", str(picture), f"s3://{bucket}/birds/card ü.jpg")
    head = running.client().head_object(Bucket=bucket, Key="birds/card ü.jpg")
    assert head["ContentType"] == "image/jpeg"
    assert head["ETag"].endswith('-2"')
    aws("s3", "cp", f"s3://{bucket}/birds/card ü.jpg", str(tmp_path / "back.jpg"))
    assert (tmp_path / "back.jpg").read_bytes() == picture.read_bytes()
    assert "card ü.jpg" in aws("s3", "ls", f"s3://{bucket}/birds/")
    assert "PRE birds/" in aws("s3", "ls", f"s3://{bucket}")
    aws("s3", "mv", f"s3://{bucket}/birds/card ü.jpg", f"s3://{bucket}/moved+1.jpg")
    assert "moved+1.jpg" in aws("s3", "ls", f"s3://{bucket}/")
    link = aws("s3", "presign", f"s3://{bucket}/moved+1.jpg", "--expires-in", "60").strip()
    with urllib.request.urlopen(link, timeout=20) as answer:
        assert answer.read() == picture.read_bytes()
    aws("s3", "rm", f"s3://{bucket}/moved+1.jpg")
    assert aws("s3", "ls", f"s3://{bucket}/") == ""


def test_sync_and_streams(aws: Aws, bucket: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    for name in ("a.txt", "folder/b.txt", "folder/c d+e%.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
        # Objects show whole seconds: a file of this very second would look newer than its copy.
        os.utime(here / name, (1_700_000_000, 1_700_000_000))
    aws("s3", "sync", str(here), f"s3://{bucket}/all")
    assert aws("s3", "sync", str(here), f"s3://{bucket}/all") == ""  # nothing left to do
    aws("s3", "sync", f"s3://{bucket}/all", str(tmp_path / "there"))
    assert (tmp_path / "there" / "folder" / "c d+e%.txt").read_text() == "folder/c d+e%.txt"
    aws("s3", "cp", "-", f"s3://{bucket}/stream", data=b"from a pipe")
    assert aws("s3", "cp", f"s3://{bucket}/stream", "-") == "from a pipe"
    (here / "a.txt").unlink()
    aws("s3", "sync", "--delete", str(here), f"s3://{bucket}/all")
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/all/")
    assert "a.txt" not in listed
    assert "folder/b.txt" in listed
    aws("s3", "rm", "--recursive", f"s3://{bucket}")
    assert aws("s3", "ls", f"s3://{bucket}") == ""


def test_low_level_commands(aws: Aws, bucket: str, tmp_path: Path) -> None:
    def ask(*words: str) -> Any:
        return json.loads(aws("s3api", *words, "--output", "json"))

    body = tmp_path / "body"
    body.write_bytes(b"0123456789")
    at = ("--bucket", bucket, "--key", "k")
    put = ask("put-object", *at, "--body", str(body), "--metadata", "a=b", "--checksum-algorithm", "SHA256")
    assert put["ChecksumSHA256"]
    assert ask("head-object", *at)["Metadata"] == {"a": "b"}
    ask("get-object", *at, "--range", "bytes=2-4", str(tmp_path / "range"))
    assert (tmp_path / "range").read_bytes() == b"234"
    assert ask("list-objects-v2", "--bucket", bucket)["Contents"][0]["Key"] == "k"
    assert ask("get-bucket-location", "--bucket", bucket)["LocationConstraint"] is None
    configuration = json.dumps(
        {
            "LambdaFunctionConfigurations": [
                {
                    "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "birds/"}]}},
                }
            ]
        }
    )
    aws(
        "s3api",
        "put-bucket-notification-configuration",
        "--bucket",
        bucket,
        "--notification-configuration",
        configuration,
    )
    (rule,) = ask("get-bucket-notification-configuration", "--bucket", bucket)["LambdaFunctionConfigurations"]
    assert rule["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "birds/"}]


def test_a_website_by_the_command_line(aws: Aws, running: Running) -> None:
    """Closed until block and ownership say otherwise, with AWS's own refusals; then open, object by object."""
    bucket = f"site-{len(running.client().list_buckets()['Buckets'])}"
    aws("s3", "mb", f"s3://{bucket}")
    aws("s3", "website", f"s3://{bucket}", "--index-document", "index.html", "--error-document", "wrong.html")
    shown = json.loads(aws("s3api", "get-bucket-website", "--bucket", bucket))
    assert shown == {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "wrong.html"}}
    copy = ("s3", "cp", "-", f"s3://{bucket}/index.html", "--acl", "public-read", "--content-type", "text/html")
    with pytest.raises(AssertionError, match=r"AccessControlListNotSupported.*The bucket does not allow ACLs"):
        aws(*copy, data=b"home")
    owners = "Rules=[{ObjectOwnership=ObjectWriter}]"
    aws("s3api", "put-bucket-ownership-controls", "--bucket", bucket, "--ownership-controls", owners)
    with pytest.raises(AssertionError, match=r"AccessDenied.*BlockPublicAcls"):
        aws(*copy, data=b"home")
    aws("s3api", "delete-public-access-block", "--bucket", bucket)
    aws(*copy, data=b"home")
    aws("s3", "cp", "-", f"s3://{bucket}/secret.html", data=b"secret")
    with urllib.request.urlopen(f"{running.url}/_aws/s3-website/{bucket}/", timeout=10) as answer:
        assert (answer.read(), answer.headers["content-type"]) == (b"home", "text/html")
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(f"{running.url}/_aws/s3-website/{bucket}/secret.html", timeout=10)
    told.value.close()
    assert told.value.code == 403

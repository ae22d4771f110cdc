"""What `alight init` offers runs as it is copied: hello, s3-thumbnail, sqs-batch (birds and sentiment: modules of their
own)."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from tests.support import Instance, Start, eventually, invoke, run_alight
from tests.walk.conftest import PICTURES
from tests.walk.vendoring import rebuild_wheel


def begun(name: str, folder: Path) -> Path:
    """A copy of an example, as a user makes one."""
    made = run_alight("init", name, str(folder / name))
    assert made.returncode == 0, made.stderr
    return folder / name


def log_of(instance: Instance, function: str) -> str:
    events = instance.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    return "".join(event["message"] for event in events)


def test_hello_greets_what_lands_and_who_asks(start: Start, tmp_path: Path) -> None:
    instance = start(begun("hello", tmp_path), timeout=60)
    outputs = instance.json("outputs")
    given = {"FunctionName": outputs["FunctionName"], "Payload": b'{"name": "you"}'}
    assert json.loads(invoke(instance.client("lambda"), **given)["Payload"]) == {"greeting": "Hello, you!"}
    instance.client("s3").put_object(Bucket=outputs["BucketName"], Key="a letter.txt", Body=b"dear")
    said = "Hello, a letter.txt (4 bytes)!"
    eventually(lambda: said in log_of(instance, outputs["FunctionName"]), what=said)


def test_a_thumbnail_appears_beside_a_picture(start: Start, tmp_path: Path) -> None:
    app = begun("s3-thumbnail", tmp_path)
    requirements = app / "src" / "requirements.txt"
    wheels = rebuild_wheel(tmp_path / "wheels", "pillow").parent
    # Without a network: the same requirement, met from a folder.
    requirements.write_text(f"--no-index\n--find-links {wheels}\n{requirements.read_text()}")
    instance = start(app, timeout=120)
    bucket = instance.json("outputs")["BucketName"]
    s3 = instance.client("s3")
    s3.put_object(Bucket=bucket, Key="uploads/pond/a duck.JPEG", Body=PICTURES["duck.jpg"])

    def keys() -> list[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="thumbnails/").get("Contents", [])
        return [item["Key"] for item in found]

    eventually(keys, 60, "the thumbnail")
    assert keys() == ["thumbnails/pond/a duck.jpg"]
    answer = s3.get_object(Bucket=bucket, Key="thumbnails/pond/a duck.jpg")
    with Image.open(io.BytesIO(answer["Body"].read())) as small:
        assert (answer["ContentType"], small.format, max(small.size)) == ("image/jpeg", "JPEG", 256)


def test_orders_are_taken_in_batches(start: Start, tmp_path: Path) -> None:
    instance = start(begun("sqs-batch", tmp_path), timeout=60)
    outputs = instance.json("outputs")
    sqs, url = instance.client("sqs"), outputs["QueueUrl"]
    for body in ('{"item": "tea", "count": 2}', "no order at all"):
        sqs.send_message(QueueUrl=url, MessageBody=body)

    def held() -> tuple[str, str]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]

    eventually(lambda: held() == ("0", "1"), what="the order taken, and the other waiting to come again")
    log = eventually(lambda: (text := log_of(instance, outputs["FunctionName"])) and "not taken" in text and text)
    assert "order: 2 x tea" in log
    assert "JSONDecodeError" in log

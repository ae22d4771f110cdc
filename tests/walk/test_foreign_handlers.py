"""Handlers on frameworks that others wrote for AWS run unmodified, on events that really happened and on samples."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import S3SqsEventNotificationModel, SnsNotificationModel

from tests.support import eventually, start_alight, sweep
from tests.walk.foreign import Foreign, build_app, queue_event, sample

#: The keys that people choose, and that records carry encoded.
KEY = "a b+c/Blaumeise & Spötter, 100%.jpg"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    folder = tmp_path_factory.mktemp("foreign")
    instance = start_alight(folder / "data", build_app(folder), ALIGHT_RETRY_DELAYS="0.05,0.05", timeout=90)
    yield Foreign(instance, instance.json("outputs"))
    sweep(instance.process)


def test_a_put_reaches_powertools_data_class_logger_and_metrics(foreign: Foreign) -> None:
    put = foreign.put(f"powertools/{KEY}", b"a picture")
    [read] = foreign.outcome("PowertoolsS3", KEY)
    assert (read["key"], read["body"], read["size"]) == (f"powertools/{KEY}", "a picture", 9)
    assert read["etag"] == put["ETag"].strip('"')
    assert read["request"] == put["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    assert (read["bucket"], read["arn"]) == ("foreign-pictures", "arn:aws:s3:::foreign-pictures")
    assert (read["event"], read["source"], read["region"]) == ("ObjectCreated:Put", "aws:s3", "us-east-1")
    assert (read["schema"], read["version"], read["ip"]) == ("1.0", None, "127.0.0.1")
    assert int(read["sequencer"], 16) > 0
    assert all(read[name] for name in ("owner", "who", "time"))
    [said] = eventually(lambda: _said(foreign, read["request"]), what="the metrics in the log")
    assert (said["service"], said["length"]) == ("pictures", 9)
    assert said["function_name"] == foreign.outputs["PowertoolsS3"]
    assert said["function_arn"].endswith(f":function:{said['function_name']}")
    listed = foreign.instance.client("cloudwatch").list_metrics(MetricName="Pictures")["Metrics"]
    assert [metric["Dimensions"] for metric in listed] == [[{"Name": "service", "Value": "pictures"}]]


def _said(foreign: Foreign, request: str) -> list[dict[str, Any]]:
    """What the function's logger said of a request of S3, once the embedded metrics, which come last, are there."""
    lines = [json.loads(line) for line in foreign.log("PowertoolsS3") if line.startswith("{")]
    mine = [place for place, line in enumerate(lines) if line.get("correlation_id") == request]
    told = any(line.get("Pictures") == [1.0] for line in lines[max(mine, default=len(lines)) :])
    return [lines[place] for place in mine if lines[place]["message"] == "read"] if told else []


def test_a_copy_and_a_multipart_upload_are_told_as_such(foreign: Foreign) -> None:
    s3 = foreign.instance.client("s3")
    foreign.put("source.jpg", b"a picture")
    s3.copy_object(Bucket="foreign-pictures", Key="powertools/copy.jpg", CopySource="foreign-pictures/source.jpg")
    assert foreign.outcome("PowertoolsS3", "copy.jpg")[0]["event"] == "ObjectCreated:Copy"
    where = {"Bucket": "foreign-pictures", "Key": "powertools/parts.jpg"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    etag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"a part")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    done = s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)
    [read] = foreign.outcome("PowertoolsS3", "parts.jpg")
    assert (read["event"], read["body"]) == ("ObjectCreated:CompleteMultipartUpload", "a part")
    assert read["etag"] == done["ETag"].strip('"')


def test_a_delete_passes_the_models_of_powertools_parser(foreign: Foreign) -> None:
    foreign.put("gone/duck.jpg", b"")
    foreign.instance.client("s3").delete_object(Bucket="foreign-pictures", Key="gone/duck.jpg")
    read = foreign.outcome("PowertoolsParser", "gone/duck.jpg")
    assert read == {"key": "gone/duck.jpg", "event": "ObjectRemoved:Delete", "size": None}


def test_a_put_reaches_chalices_event(foreign: Foreign) -> None:
    foreign.put(f"chalice/{KEY}", b"a picture")
    read = foreign.outcome("ChaliceS3", KEY)
    assert (read["bucket"], read["key"]) == ("foreign-pictures", f"chalice/{KEY}")
    assert read["record"]["s3"]["object"]["key"] != read["key"], "the record has the encoded one"
    assert any(f"put chalice/{KEY}" in line for line in foreign.log("ChaliceS3"))


def test_a_put_is_told_by_a_topic_to_functions_and_queues(foreign: Foreign) -> None:
    foreign.put("topic/duck.jpg", b"duck")
    told = foreign.outcome("PowertoolsSns", "topic/duck.jpg")
    assert (told["subject"], told["topic"]) == ("Amazon S3 Notification", foreign.outputs["Topic"])
    assert [(read["key"], read["size"]) for read in told["records"]] == [("topic/duck.jpg", 4)]
    told = foreign.outcome("ChaliceSns", "topic/duck.jpg")
    assert told == {"subject": "Amazon S3 Notification", "key": "topic/duck.jpg", "attributes": {}}


def test_what_a_topic_put_into_queues_passes_batch_processors(foreign: Foreign) -> None:
    """Both kinds of subscription; one message of the batch is spoilt and comes back as its failure."""
    foreign.put("topic/queued.jpg", b"queued")
    enveloped, raw = (foreign.receive(queue, "topic/queued.jpg") for queue in ("Envelopes", "Raw"))
    S3SqsEventNotificationModel.model_validate(queue_event(raw, foreign.outputs["EnvelopesArn"]))
    SnsNotificationModel.model_validate_json(enveloped[0]["Body"])
    messages = enveloped + raw
    sqs = foreign.instance.client("sqs")
    spoilt = sqs.send_message(QueueUrl=foreign.outputs["Raw"], MessageBody="spoilt")["MessageId"]
    messages[1:1] = foreign.receive("Raw", "spoilt")
    event = queue_event(messages, foreign.outputs["EnvelopesArn"])
    assert foreign.invoke("PowertoolsBatch", event) == {"batchItemFailures": [{"itemIdentifier": spoilt}]}
    taken = [line for line in foreign.log("PowertoolsBatch") if '"taken"' in line]
    assert [json.loads(line)["keys"] for line in taken] == [["topic/queued.jpg"], ["topic/queued.jpg"]]
    read = foreign.invoke("ChaliceSqs", event)
    assert [item["receipt"] for item in read] == [message["ReceiptHandle"] for message in messages]
    assert [item["body"] for item in read] == [message["Body"] for message in messages]


PROXIES = ["apiGatewayProxyEvent", "apiGatewayProxyV2Event", "apiGatewayProxyV2Event_GET", "lambdaFunctionUrlEvent"]


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("function", ["Asgi", "Wsgi"])
def test_a_web_app_answers_a_gateways_event(foreign: Foreign, function: str, name: str) -> None:
    event = sample(name)
    answer = foreign.invoke(function, event)
    said = json.loads(answer["body"])
    method = event.get("httpMethod") or event["requestContext"]["http"]["method"]
    headers = answer.get("headers") or {name: value[0] for name, value in answer["multiValueHeaders"].items()}
    assert answer["statusCode"] == 200
    assert {name.lower(): value for name, value in headers.items()}["x-by"] in ("starlette", "wsgi")
    assert (said["method"], said["path"]) == (method, event.get("path") or event["rawPath"])
    if event.get("queryStringParameters"):
        assert said["query"] == {"parameter1": ["value1", "value2"], "parameter2": ["value"]}
        assert said["header"].startswith("value1")
    assert said.get("ready", True)


def test_a_web_app_answers_with_bytes(foreign: Foreign) -> None:
    event = sample("apiGatewayProxyV2Event_GET")
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/picture"
    answer = foreign.invoke("Asgi", event)
    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == b"\xff\xd8\xff"


def test_routers_of_powertools_and_chalice_answer_a_gateways_event(foreign: Foreign) -> None:
    for name in ("apiGatewayProxyEvent", "apiGatewayProxyV2Event"):
        answer = foreign.invoke("PowertoolsRest", sample(name))
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["header"].startswith("value1")
    answer = foreign.invoke("ChaliceRest", sample("apiGatewayProxyEvent"))
    assert (answer["statusCode"], json.loads(answer["body"])["header"]) == (200, "value1")
    event = sample("apiGatewayProxyEvent") | {"body": '{"say": "off we go"}'}
    event["httpMethod"] = event["requestContext"]["httpMethod"] = "POST"
    event["headers"]["Content-Type"] = "application/json"
    answer = foreign.invoke("ChaliceRest", event)
    assert (answer["statusCode"], answer["body"]) == (201, "off we go")

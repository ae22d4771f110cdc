"""Event source mappings with real boto3: a queue's messages wake a function, in batches, and none is lost."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, Start, eventually, start_alight, sweep

ROLE = "arn:aws:iam::000000000000:role/reader"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
READS = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
#: What a batch holds goes into a file; messages whose body is `bad` are not handled.
CODE = """
import json, os, time
def whole(event, context):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(event | {"id": context.aws_request_id}) + chr(10))
    if any(record["body"] == "bad" for record in event["Records"]):
        raise ValueError("a bad one")
def each(event, context):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(event) + chr(10))
    bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in bad]}
def slow(event, context):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(event) + chr(10))
    gate = os.environ["SEEN"] + ".gate"
    while not os.path.exists(gate):
        time.sleep(0.02)
"""


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
    return buffer.getvalue()


class Reading:
    """A queue, a dead-letter queue and a function of one name on an instance, and what the function has seen."""

    def __init__(self, instance: Instance, name: str, handler: str, receives: int = 2, seconds: int = 3) -> None:
        self.instance, self.name, self.file = instance, name, instance.data.parent / "seen" / name
        self.sqs, self.functions = instance.client("sqs"), instance.client("lambda")
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": receives}
        attributes = {"VisibilityTimeout": str(seconds), "RedrivePolicy": json.dumps(redrive)}
        self.queue = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.functions.create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler=f"app.{handler}", Timeout=seconds,
            Code={"ZipFile": package()}, Environment={"Variables": {"SEEN": str(self.file)}},
        )  # fmt: skip

    def arn(self, url: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = answer["Attributes"]["QueueArn"]
        return arn

    def map(self, **members: Any) -> str:
        given = {"EventSourceArn": self.arn(self.queue), "FunctionName": self.name}
        made = self.functions.create_event_source_mapping(**given, **members)
        uuid: str = made["UUID"]
        return uuid

    def state(self, uuid: str) -> str:
        state: str = self.functions.get_event_source_mapping(UUID=uuid)["State"]
        return state

    def send(self, *bodies: str) -> list[str]:
        return [self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)["MessageId"] for body in bodies]

    def batches(self) -> list[list[dict[str, Any]]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line)["Records"] for line in lines]

    def bodies(self) -> list[str]:
        return [record["body"] for batch in self.batches() for record in batch]

    def left(self, url: str) -> int:
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))


def prepare(instance: Instance) -> Instance:
    iam = instance.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName="reader", PolicyArn=READS)
    return instance


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("mapped")
    (folder / "seen").mkdir()
    started = prepare(start_alight(folder / "data", ALIGHT_WORKER_PATHS=str(folder / "seen")))
    yield started
    sweep(started.process)


def refused(code: str, text: str, call: Any, **given: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"], error


def test_a_mapping_lives_as_on_aws(instance: Instance) -> None:
    one = Reading(instance, "life", "whole", receives=1)
    functions = one.functions
    made = functions.create_event_source_mapping(
        EventSourceArn=one.arn(one.queue), FunctionName="life", Enabled=False, Tags={"team": "birds"}
    )
    functions.tag_resource(Resource=made["EventSourceMappingArn"], Tags={"stage": "test"})
    assert functions.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"team": "birds", "stage": "test"}
    uuid = made.pop("UUID")
    del made["ResponseMetadata"], made["LastModified"]
    assert made == {
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": one.arn(one.queue),
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:life",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}",
    }
    eventually(lambda: one.state(uuid) == "Disabled", what="Disabled")
    one.send("waits")
    create = functions.create_event_source_mapping
    twice = f"already exists. Please update or delete the existing mapping with UUID {uuid}"
    refused("ResourceConflictException", twice, create, EventSourceArn=one.arn(one.queue), FunctionName="life")
    pattern = json.dumps({"body": {"kind": ["duck"]}})
    changed = functions.update_event_source_mapping(
        UUID=uuid, Enabled=True, BatchSize=50, MaximumBatchingWindowInSeconds=1,
        FilterCriteria={"Filters": [{"Pattern": pattern}]}, ScalingConfig={"MaximumConcurrency": 2},
    )  # fmt: skip
    assert (changed["State"], changed["BatchSize"]) == ("Enabling", 50)
    one.send('{"kind": "swan"}', '{"kind": "duck", "n": 1}', "quack")
    eventually(lambda: one.left(one.queue) == 0, what="an empty queue: what is not wanted goes too")
    one.send('{"kind": "goose"}')
    eventually(lambda: one.left(one.queue) == 0, what="an empty queue once more")
    assert one.bodies() == ['{"kind": "duck", "n": 1}']
    assert one.left(one.dead) == 0, "what is not wanted is deleted, not tried again"
    listed = functions.list_event_source_mappings(FunctionName="life")["EventSourceMappings"]
    assert [(item["UUID"], item["State"], item["ScalingConfig"]) for item in listed] == [
        (uuid, "Enabled", {"MaximumConcurrency": 2})
    ]
    assert functions.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert functions.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"

    def gone() -> bool:
        return not functions.list_event_source_mappings(EventSourceArn=one.arn(one.queue))["EventSourceMappings"]

    eventually(gone, what="the end of the mapping")
    refused("ResourceNotFoundException", "does not exist", functions.get_event_source_mapping, UUID=uuid)


def test_what_cannot_work_is_refused_when_it_is_made(instance: Instance) -> None:
    one = Reading(instance, "refused", "whole")
    create, invalid = one.functions.create_event_source_mapping, "InvalidParameterValueException"
    good = {"EventSourceArn": one.arn(one.queue), "FunctionName": "refused"}
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    refused("NotImplemented", "kinesis", create, **good | {"EventSourceArn": stream})
    refused(invalid, "Function does not exist", create, **good | {"FunctionName": "nobody"})
    refused(invalid, "NonExistentQueue", create, **good | {"EventSourceArn": f"{good['EventSourceArn']}-gone"})
    refused(invalid, "greater than 0", create, **good, BatchSize=11)
    refused(invalid, "filter pattern", create, **good, FilterCriteria={"Filters": [{"Pattern": "{"}]})
    one.functions.update_function_configuration(FunctionName="refused", Timeout=4)
    refused(invalid, "Queue visibility timeout: 3 seconds is less than Function timeout: 4 seconds", create, **good)
    iam = instance.client("iam")
    iam.detach_role_policy(RoleName="reader", PolicyArn=READS)
    try:
        refused(invalid, "does not have permissions to call ReceiveMessage on SQS", create, **good)
    finally:
        iam.attach_role_policy(RoleName="reader", PolicyArn=READS)


def test_messages_come_as_lambdas_records_and_their_story_is_told(instance: Instance) -> None:
    one = Reading(instance, "records", "whole")
    one.map()
    kind = {"Kind": {"DataType": "String", "StringValue": "duck"}}
    sent = one.sqs.send_message(QueueUrl=one.queue, MessageBody="quack", MessageAttributes=kind)
    eventually(lambda: one.left(one.queue) == 0 and one.batches(), what="the batch")
    [[record]] = one.batches()
    assert record["messageId"] == sent["MessageId"]
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert record["eventSourceARN"] == one.arn(one.queue)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["Kind"]["stringValue"] == "duck"
    request = json.loads(one.file.read_text())["id"]
    [step] = eventually(lambda: told(instance, sent["MessageId"]), what="the message's story")
    assert f"request={request}" in step["detail"]
    steps = {step["what"]: step for step in instance.json("explain", request)["steps"]}
    assert set(steps) == {"sqs batch", "function records: ok"}
    assert sent["MessageId"] in steps["sqs batch"]["detail"]


def told(instance: Instance, id: str) -> Any:
    answer = instance.alight("explain", id, "--json")
    return json.loads(answer.stdout)["steps"] if answer.returncode == 0 else None


@pytest.mark.timeout(300)
def test_what_fails_comes_again_and_then_goes_to_the_dead_letters(instance: Instance) -> None:
    whole = Reading(instance, "fails", "whole")
    each = Reading(instance, "partly", "each")
    whole.map()
    uuid = each.map(FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=3, MaximumBatchingWindowInSeconds=8)
    eventually(lambda: each.state(uuid) == "Enabled", what="Enabled")
    whole.send("bad")
    each.send("good", "bad", "good too")
    eventually(lambda: whole.left(whole.dead) == 1, 120, "the dead letter of the failed batch")
    each.functions.update_event_source_mapping(UUID=uuid, MaximumBatchingWindowInSeconds=0)
    eventually(lambda: each.left(each.dead) == 1, 120, "the dead letter of the message that was named")
    assert whole.bodies() == ["bad", "bad"]
    assert each.bodies() == ["good", "bad", "good too", "bad"]
    assert (whole.left(whole.queue), each.left(each.queue)) == (0, 0)


def test_a_busy_function_burns_no_receives(instance: Instance) -> None:
    """One worker, and more messages than it can take at a time: none is received in vain."""
    one = Reading(instance, "busy", "slow", receives=1, seconds=60)
    one.functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=1)
    one.send("1", "2", "3")
    one.map(BatchSize=1)
    eventually(lambda: one.batches(), what="the first batch")
    assert one.left(one.queue) == 3
    Path(f"{one.file}.gate").touch()
    eventually(lambda: one.left(one.queue) == 0, what="all of them")
    assert one.bodies() == ["1", "2", "3"]
    assert one.left(one.dead) == 0


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Sightings: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 2}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.slow
      Runtime: python3.11
      Timeout: 2
      CodeUri: code
      Environment: {Variables: {SEEN: SEEN_FILE}}
      Events:
        Seen:
          Type: SQS
          Properties: {Queue: !GetAtt Sightings.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures]}
Outputs:
  Queue: {Value: !Ref Sightings}
"""


def test_a_template_maps_a_queue_and_kill_9_loses_nothing(start: Start, tmp_path: Path) -> None:
    seen = tmp_path / "seen" / "lines"
    seen.parent.mkdir()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(CODE)
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE.replace("SEEN_FILE", str(seen)))
    instance = start(template, timeout=60, ALIGHT_WORKER_PATHS=str(seen.parent))
    url = instance.json("outputs")["Queue"]
    instance.client("sqs").send_message(QueueUrl=url, MessageBody="kept")
    eventually(lambda: seen.exists() and seen.read_text(), what="the first try")
    instance.kill()
    Path(f"{seen}.gate").touch()
    again = start(template, instance.data, timeout=60, ALIGHT_WORKER_PATHS=str(seen.parent))
    [mapping] = again.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (5, ["ReportBatchItemFailures"])

    def left() -> list[str]:
        attributes = again.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return [attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]]

    eventually(lambda: left() == ["0", "0"], what="the second try")
    records = [json.loads(line)["Records"][0] for line in seen.read_text().splitlines()]
    assert {record["body"] for record in records} == {"kept"}
    assert int(records[-1]["attributes"]["ApproximateReceiveCount"]) == len(records) > 1

"""Queues from a real client: dead letters are moved back while the runtime is killed in the middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Start, eventually

MESSAGES = 5


def test_a_move_of_dead_letters_survives_a_kill(start: Start, tmp_path: Path) -> None:
    first = start(None, tmp_path / "data")
    sqs = first.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    live = sqs.create_queue(QueueName="live", Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})
    url = live["QueueUrl"]
    for number in range(MESSAGES):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for _ in range(2):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    sqs.purge_queue(QueueUrl=url)
    with pytest.raises(ClientError) as refused:
        sqs.purge_queue(QueueUrl=url)
    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.PurgeQueueInProgress"
    sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=2)
    first.kill()
    second = start(None, tmp_path / "data")
    sqs = second.client("sqs")

    def finished() -> Any:
        [task] = sqs.list_message_move_tasks(SourceArn=arn)["Results"]
        return task if task["Status"] == "COMPLETED" else None

    assert eventually(finished, what="the end of the move")["ApproximateNumberOfMessagesMoved"] == MESSAGES
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60)["Messages"]
    assert sorted(one["Body"] for one in found) == [str(number) for number in range(MESSAGES)]

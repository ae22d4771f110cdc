"""An alarm of a template tells a topic's subscriber once, and a `kill -9` neither loses nor repeats it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support import Start, eventually
from tests.walk.counting import total

TEMPLATE = """
Resources:
  Told: {Type: AWS::SNS::Topic}
  Inbox: {Type: AWS::SQS::Queue}
  Listens:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Told, Protocol: sqs, Endpoint: !GetAtt Inbox.Arn, RawMessageDelivery: true}
  InboxTakes:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Inbox]
      PolicyDocument:
        Statement:
          {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Inbox.Arn}
  TooMany:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: too many
      Namespace: Shop
      MetricName: Failed
      Dimensions: [{Name: Desk, Value: one}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 3
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: ignore
      AlarmActions: [!Ref Told]
Outputs:
  Queue: {Value: !Ref Inbox}
  Alarm: {Value: !GetAtt TooMany.Arn}
"""


def test_an_alarm_of_a_template(start: Start, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    instance = start(template, tmp_path / "data")
    outputs = instance.json("outputs")
    alarms, queues = instance.client("cloudwatch"), instance.client("sqs")
    assert outputs["Alarm"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:too many"

    def alarm() -> dict[str, Any]:
        [shown] = alarms.describe_alarms(AlarmNames=["too many"])["MetricAlarms"]
        return dict(shown)

    assert alarm()["StateValue"] == "INSUFFICIENT_DATA"
    place = [{"Name": "Desk", "Value": "one"}]
    moment = datetime.now(UTC) - timedelta(minutes=1)
    data = [{"MetricName": "Failed", "Dimensions": place, "Timestamp": moment, "Value": 4.0}]
    alarms.put_metric_data(Namespace="Shop", MetricData=data)
    # An alarm that is defined anew is looked at without waiting for the next minute.
    given = alarm()
    members = alarms.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    alarms.put_metric_alarm(**{name: value for name, value in given.items() if name in members})
    eventually(lambda: alarm()["StateValue"] == "ALARM", timeout=90, what="the alarm")
    [message] = eventually(
        lambda: queues.receive_message(QueueUrl=outputs["Queue"], WaitTimeSeconds=10).get("Messages"),
        what="the message",
    )
    told = json.loads(message["Body"])
    assert (told["AlarmName"], told["NewStateValue"], told["OldStateValue"]) == (
        "too many", "ALARM", "INSUFFICIENT_DATA",
    )  # fmt: skip
    assert told["Trigger"]["Dimensions"] == [{"value": "one", "name": "Desk"}]
    queues.delete_message(QueueUrl=outputs["Queue"], ReceiptHandle=message["ReceiptHandle"])
    queue = outputs["Queue"].rpartition("/")[2]
    for name in ("Sent", "Received", "Deleted"):
        assert total(instance, "AWS/SQS", f"NumberOfMessages{name}", QueueName=queue) == 1, name
    instance.kill()
    instance = start(template, tmp_path / "data")
    alarms, queues = instance.client("cloudwatch"), instance.client("sqs")
    assert alarm()["StateValue"] == "ALARM"
    kinds = [
        item["HistoryItemType"] for item in alarms.describe_alarm_history(AlarmName="too many")["AlarmHistoryItems"]
    ]
    assert sorted(kinds) == ["Action", "ConfigurationUpdate", "ConfigurationUpdate", "StateUpdate"]
    assert "Messages" not in queues.receive_message(QueueUrl=outputs["Queue"])

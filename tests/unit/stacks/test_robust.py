"""Whatever stands at any place of a template: it is applied, or refused in words. Nothing falls over."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from alight.errors import AlightError
from alight.stacks.load import Steps, parse
from tests.unit.stacks.scene import Scene

SOUND = """\
Parameters: {Size: {Type: Number, Default: 3, MinValue: 1, AllowedPattern: "[0-9]+"}}
Mappings: {M: {a: {b: c}}}
Conditions: {Big: !Not [!Equals [!Ref Size, "1"]]}
Resources:
  Box:
    Type: AWS::S3::Bucket
    DependsOn: News
    DeletionPolicy: Delete
    Properties:
      Tags: [{Key: a, Value: b}]
      NotificationConfiguration:
        LambdaConfigurations:
          - {Event: e, Function: !GetAtt Work.Arn, Filter: {S3Key: {Rules: [{Name: prefix, Value: x}]}}}
  Work:
    Type: AWS::Lambda::Function
    Condition: Big
    Metadata: {Alight: {Publish: immediate}}
    Properties:
      Handler: a.b
      Runtime: python3.11
      Role: !GetAtt Role.Arn
      Timeout: !Ref Size
      Code: {ZipFile: "pass"}
      Environment: {Variables: {A: !Sub "${AWS::Region}-${News.TopicName}"}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: {Effect: Allow, Principal: "*", Action: sts:AssumeRole}}
      Policies: [{PolicyName: p, PolicyDocument: {Statement: []}}]
      ManagedPolicyArns: [arn]
  News:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: x, Subscription: [{Protocol: sms, Endpoint: "+1"}]}
  Model:
    Type: AWS::SageMaker::Model
    Properties: {PrimaryContainer: {Image: i, ModelDataUrl: "s3://b/k"}}
  Serving:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants: [{VariantName: v, ModelName: !GetAtt Model.ModelName, InitialVariantWeight: 1.0}]
Outputs: {N: {Value: !FindInMap [M, a, b]}}
"""

JUNK: list[Any] = [
    None, 3, True, "x", "", [], {}, [3], {"a": 1}, {"Ref": "Nobody"}, {"Ref": ["a"]}, {"Ref": "AWS::NoValue"},
    {"Fn::Sub": 3}, {"Fn::If": "x"}, {"Fn::GetAtt": {"a": 1}}, {"Fn::Join": [1, 2]}, {"Fn::Select": [{}, []]},
    {"Fn::FindInMap": [1, {}, []]}, {"Ref": "Box"}, {"Fn::GetAtt": ["Model", "ModelName"]},
]  # fmt: skip


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    if steps:
        yield steps
    for key, item in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places(item, (*steps, key))


async def refusal(scene: Scene, text: str) -> str | None:
    try:
        await scene.apply(text)
    except AlightError as error:
        return error.message
    return None


@pytest.mark.parametrize("seed", range(4))
async def test_every_template_is_applied_or_refused(scene: Scene, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    body = parse(SOUND, scene.folder / "template.yaml").body
    await scene.apply(json.dumps(body))
    chance = random.Random(seed)
    for steps in chance.sample(list(places(body)), 60):
        spoilt = copy.deepcopy(body)
        holder: Any = spoilt
        for step in steps[:-1]:
            holder = holder[step]
        holder[steps[-1]] = chance.choice(JUNK)
        words = await refusal(scene, json.dumps(spoilt))
        assert words is None or str(scene.folder) in words
    assert "failed" not in caplog.text  # what a refusal is not: a fault of ours

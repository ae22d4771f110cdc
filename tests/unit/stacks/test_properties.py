from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from alight.stacks.properties import Honoured, Matching, Neutral, Only, Refused, check, typed
from alight.stacks.resolve import Later
from alight.stacks.resources import PROVIDERS
from alight.stacks.tables import REQUIRED, TABLES, refusal_of


def test_every_provider_has_its_table_and_every_table_its_provider() -> None:
    assert set(TABLES) == set(PROVIDERS)


@pytest.mark.parametrize("type_name", sorted(TABLES))
def test_what_names_and_replaces_a_resource_is_in_its_table(type_name: str) -> None:
    provider = PROVIDERS[type_name]
    named = {provider.naming.property} if provider.naming.property else set()
    for name in (provider.replaced_by | named) - {"*"}:
        assert isinstance(TABLES[type_name][name], Honoured)


def rows(row: Any) -> list[Any]:
    if isinstance(row, Mapping):
        return [leaf for inner in row.values() for leaf in rows(inner)]
    return rows(row[0]) if isinstance(row, list) else [row]


@pytest.mark.parametrize("type_name", sorted(TABLES))
def test_every_row_is_a_class_and_every_refusal_says_why(type_name: str) -> None:
    for row in rows(TABLES[type_name]):
        assert isinstance(row, Honoured | Matching | Neutral | Refused | Only)
        assert not isinstance(row, Refused | Only) or row.why.endswith(".")


BUCKET, TOPIC, FUNCTION = "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::Lambda::Function"
MODEL = "AWS::SageMaker::Model"


@pytest.mark.parametrize(
    ("type_name", "properties", "finding"),
    [
        (BUCKET, "BucketName: b", None),
        (BUCKET, "Tags: []", "neutral Tags"),
        (BUCKET, "WebsiteConfiguration: {IndexDocument: index.html}", None),
        (BUCKET, "LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 1}]}", None),
        (
            BUCKET,
            "LifecycleConfiguration: {Rules: [{Status: Enabled, Transitions: []}]}",
            "refused LifecycleConfiguration.Rules.0.Transitions",
        ),
        (BUCKET, "Colour: red", "refused Colour"),
        (BUCKET, "VersioningConfiguration: {Status: Enabled}", None),
        (BUCKET, "NotificationConfiguration: []", "refused NotificationConfiguration"),
        (
            BUCKET,
            "NotificationConfiguration: {EventBridgeConfiguration: {}}",
            "refused NotificationConfiguration.EventBridgeConfiguration",
        ),
        (
            BUCKET,
            "NotificationConfiguration: {LambdaConfigurations: [{Event: x, Function: y}, {Nope: 1}]}",
            "refused NotificationConfiguration.LambdaConfigurations.1.Nope",
        ),
        (TOPIC, "Subscription: {}", "refused Subscription"),
        (TOPIC, "FifoTopic: false", "neutral FifoTopic"),
        (TOPIC, "FifoTopic: true", "refused FifoTopic"),
        (FUNCTION, "PackageType: Image", "refused PackageType"),
        (FUNCTION, "Code: {ImageUri: x}", "refused Code.ImageUri"),
        (FUNCTION, "Timeout: '10'", None),
        (FUNCTION, "Timeout: ten", "refused Timeout"),
        (FUNCTION, "Timeout: true", "refused Timeout"),
        (FUNCTION, "Timeout:", "refused Timeout"),
        (FUNCTION, "Handler: [a]", "refused Handler"),
        (FUNCTION, "Environment: {Variables: [a]}", "refused Environment.Variables"),
        ("AWS::IAM::Role", "ManagedPolicyArns: arn", "refused ManagedPolicyArns"),
        ("AWS::IAM::Role", "AssumeRolePolicyDocument: 3", "refused AssumeRolePolicyDocument"),
        ("AWS::SNS::Subscription", "RawMessageDelivery: 'true'", None),
        ("AWS::SNS::Subscription", "RawMessageDelivery: maybe", "refused RawMessageDelivery"),
        ("AWS::SageMaker::EndpointConfig", "ProductionVariants: [{InitialVariantWeight: 0.5}]", None),
        (
            "AWS::SageMaker::EndpointConfig",
            "ProductionVariants: [{InitialVariantWeight: half}]",
            "refused ProductionVariants.0.InitialVariantWeight",
        ),
        (MODEL, "PrimaryContainer: {Image: x, ModelDataUrl: y}", "neutral PrimaryContainer.Image"),
    ],
)
def test_properties_fall_into_three_classes(type_name: str, properties: str, finding: str | None) -> None:
    found = check(type_name, TABLES[type_name], yaml.safe_load(properties))
    shown = [f"{one.kind} {'.'.join(map(str, one.steps))}" for one in found]
    assert shown == ([finding] if finding else [])


@pytest.mark.parametrize(
    ("type_name", "properties", "values"),
    [
        (FUNCTION, "{Timeout: '10', Handler: 3}", {"Timeout": 10, "Handler": "3"}),
        (FUNCTION, "{PackageType: Zip, Code: {ZipFile: 1}}", {"PackageType": "Zip", "Code": {"ZipFile": "1"}}),
        ("AWS::IAM::Role", "ManagedPolicyArns: [a, 1]", {"ManagedPolicyArns": ["a", "1"]}),
        ("AWS::SNS::Subscription", "RawMessageDelivery: 'True'", {"RawMessageDelivery": True}),
        (
            "AWS::SageMaker::EndpointConfig",
            "ProductionVariants: [{InitialVariantWeight: '1', InitialInstanceCount: '2'}]",
            {"ProductionVariants": [{"InitialVariantWeight": 1.0, "InitialInstanceCount": 2}]},
        ),
    ],
)
def test_sound_values_become_what_the_table_says(type_name: str, properties: str, values: dict[str, Any]) -> None:
    assert typed(TABLES[type_name], yaml.safe_load(properties)) == values


@pytest.mark.parametrize(
    ("properties", "missing"),
    [
        ("{}", ["Trust"]),
        ("{Trust: x, Items: []}", []),
        ("{Trust: x, Items: [{Name: a}, {}, {Other: b}]}", ["Items.1.Name", "Items.2.Name"]),
        ("{Trust: x, Items: {}}", []),
        ("{Trust: x, Part: {}}", ["Part.Deep"]),
    ],
)
def test_what_must_be_there(properties: str, missing: list[str]) -> None:
    table = {"Trust": Honoured(), "Items": Honoured(), "Part": Honoured()}
    found = check("T", table, yaml.safe_load(properties), ("Trust", "Items.*.Name", "Part.Deep"))
    assert [".".join(map(str, one.steps)) for one in found if one.message == "is required."] == missing


@pytest.mark.parametrize("type_name", sorted(REQUIRED))
def test_what_must_be_there_is_in_the_table(type_name: str) -> None:
    for path in REQUIRED[type_name]:
        row: Any = TABLES[type_name]
        for name in path.split("."):
            row = row[0] if name == "*" else row[name]


def test_what_is_not_known_yet_is_not_judged() -> None:
    assert check(FUNCTION, TABLES[FUNCTION], {"PackageType": Later("(later)"), "Code": {"ZipFile": "x"}}) == []


@pytest.mark.parametrize(
    ("type_name", "words"),
    [
        ("AWS::Lambda::LayerVersionPermission", "layer"),
        ("AWS::ApiGateway::UsagePlanKey", "usage plans"),
        ("AWS::ApiGatewayV2::VpcLink", "no VPC"),
        ("AWS::Events::Rule", "EventBridge"),
        ("AWS::DynamoDB::Table", "is not offered"),
    ],
)
def test_types_are_refused_by_name(type_name: str, words: str) -> None:
    refusal = refusal_of(type_name)
    assert refusal is not None
    assert refusal.startswith(type_name)
    assert words in refusal


def test_types_with_a_table_are_not_refused() -> None:
    assert [name for name in TABLES if refusal_of(name)] == []

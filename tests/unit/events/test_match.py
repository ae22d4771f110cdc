"""Which rule wants which event, and which two rules S3 would not take together."""

from __future__ import annotations

import botocore.loaders
import botocore.model
import pytest

from alight.events.match import EVENTS, Rule, matching, names, overlap, rules, wants

PUT = "s3:ObjectCreated:Put"
CREATED = "s3:ObjectCreated:*"


def rule(*events: str, prefix: str = "", suffix: str = "", name: str = "r") -> Rule:
    return Rule(name, "arn:aws:lambda:us-east-1:000000000000:function:f", events, prefix, suffix, True)


@pytest.mark.parametrize(
    ("pattern", "event", "covered"),
    [
        (CREATED, "ObjectCreated:Put", True),
        (CREATED, "ObjectCreated:CompleteMultipartUpload", True),
        (CREATED, "ObjectRemoved:Delete", False),
        (PUT, "ObjectCreated:Put", True),
        (PUT, "ObjectCreated:Post", False),
        ("s3:ObjectRemoved:*", "ObjectRemoved:DeleteMarkerCreated", True),
        ("s3:ObjectTagging:*", "ObjectTagging:Put", True),
    ],
)
def test_names(pattern: str, event: str, covered: bool) -> None:
    assert names(pattern, event) is covered


@pytest.mark.parametrize(
    ("prefix", "suffix", "key", "wanted"),
    [
        ("", "", "anything", True),
        ("birds/", "", "birds/card.jpg", True),
        ("birds/", "", "Birds/card.jpg", False),
        ("birds/", ".jpg", "birds/card.jpg", True),
        ("birds/", ".jpg", "birds/card.png", False),
        ("birds", "s.jpg", "birds.jpg", True),
        ("a/", "/b", "a/b", True),  # the slash serves both: S3 does not ask for a gap
        ("ü", "", "ü.jpg", True),
        ("ü", "", "u\u0308.jpg", False),  # another key: the store knows no normal forms
        ("a*", "", "abc", False),  # no wildcards
    ],
)
def test_filters(prefix: str, suffix: str, key: str, wanted: bool) -> None:
    assert wants(rule(CREATED, prefix=prefix, suffix=suffix), "ObjectCreated:Put", key) is wanted


def test_filters_are_written_url_encoded() -> None:
    configuration = {
        "QueueConfigurations": [
            {
                "Id": "q",
                "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
                "Events": [CREATED],
                "Filter": {
                    "Key": {
                        "FilterRules": [
                            {"Name": "Prefix", "Value": "my+photos/day%3D1/"},
                            {"Name": "SUFFIX", "Value": ".jpg"},
                        ]
                    }
                },
            }
        ]
    }
    (found,) = rules(configuration)
    assert (found.prefix, found.suffix, found.filtered) == ("my photos/day=1/", ".jpg", True)
    assert matching([found], "ObjectCreated:Put", "my photos/day=1/a.jpg") == [found]


def test_rules_of_all_three_kinds() -> None:
    found = rules(
        {
            "LambdaFunctionConfigurations": [{"Id": "f", "LambdaFunctionArn": "F", "Events": [PUT]}],
            "TopicConfigurations": [{"Id": "t", "TopicArn": "T", "Events": [PUT]}],
            "QueueConfigurations": [{"Id": "q", "QueueArn": "Q", "Events": [PUT]}],
        }
    )
    assert [(each.id, each.target, each.filtered) for each in found] == [
        ("f", "F", False),
        ("t", "T", False),
        ("q", "Q", False),
    ]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (rule(PUT), rule(PUT), True),
        (rule(CREATED), rule(PUT), True),
        (rule(PUT), rule("s3:ObjectCreated:Copy"), False),
        (rule(CREATED), rule("s3:ObjectRemoved:*"), False),
        (rule(PUT, prefix="a/"), rule(PUT, prefix="b/"), False),
        (rule(PUT, prefix="a/"), rule(PUT, prefix="a/b/"), True),
        (rule(PUT, prefix="a/"), rule(PUT), True),
        (rule(PUT, suffix=".jpg"), rule(PUT, suffix=".png"), False),
        (rule(PUT, suffix="g"), rule(PUT, suffix=".jpg"), True),
        (rule(PUT, prefix="a/", suffix=".jpg"), rule(PUT, prefix="a/", suffix=".png"), False),
        (rule(PUT, prefix="a/", suffix=".jpg"), rule(PUT, prefix="b/", suffix=".jpg"), False),
        (rule(PUT, prefix="a/"), rule(PUT, suffix=".jpg"), True),
    ],
)
def test_overlaps(first: Rule, second: Rule, clash: bool) -> None:
    assert (overlap([first, second]) is not None) is clash
    assert (overlap([second, first]) is not None) is clash


def test_the_events_are_those_of_the_model() -> None:
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("s3", "service-2"))
    assert set(model.shape_for("Event").enum) == EVENTS


def test_a_rule_of_many_events_wants_each_of_them_and_overlaps_by_one() -> None:
    many = Rule("many", "F", ("s3:ObjectRemoved:Delete", PUT, "s3:ObjectTagging:*"))
    assert [
        wants(many, event, "a") for event in ("ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectTagging:Put")
    ] == [
        True,
        True,
        True,
    ]
    assert not wants(many, "ObjectCreated:Copy", "a")
    assert overlap([many, rule(CREATED)]) is not None
    assert overlap([many, rule("s3:ObjectCreated:Copy")]) is None

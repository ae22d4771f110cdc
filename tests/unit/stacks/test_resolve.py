from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.stacks.resolve import NO_VALUE, Later, Resolver, Unresolvable, pseudo_parameters

BODY: dict[str, Any] = {
    "Mappings": {"Sizes": {"prod": {"Memory": 512}, "dev": {"Memory": 128}}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
        "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "IsDev"}]},
        "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "IsDev"}]},
        "Flag": {"Fn::Equals": [True, "true"]},
        "Round": {"Condition": "Trip"},
        "Trip": {"Fn::Not": [{"Condition": "Round"}]},
        "OfResource": {"Fn::Equals": [{"Ref": "Bucket"}, "x"]},
        "Odd": {"Fn::Equals": ["one"]},
    },
}
VALUES = {"Stage": "prod", "Names": ["a", "b"], "Empty": "", **pseudo_parameters("shop")}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "Bucket": {"Ref": "shop-bucket", "Arn": "arn:aws:s3:::shop-bucket"},
    "Late": {"Ref": Later("(later)")},
}


def find(name: str, attribute: str = "Ref") -> Any:
    if attribute not in ATTRIBUTES.get(name, {}):
        raise LookupError(f"there is no {name}.{attribute}")
    return ATTRIBUTES[name][attribute]


def resolve(node: Any) -> Any:
    return Resolver(BODY, VALUES, find, find).value(node, ("Root",))


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "Names"}, ["a", "b"]),
        ({"Ref": "Bucket"}, "shop-bucket"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "AWS::AccountId"}, "000000000000"),
        ({"Ref": "AWS::StackName"}, "shop"),
        ({"Ref": "AWS::NoValue"}, NO_VALUE),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::shop-bucket"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:aws:s3:::shop-bucket"),
        ({"Fn::Sub": "${AWS::StackName}-${Stage}"}, "shop-prod"),
        ({"Fn::Sub": "${Bucket.Arn}/*"}, "arn:aws:s3:::shop-bucket/*"),
        ({"Fn::Sub": "${!Stage} $x ${Stage}"}, "${Stage} $x prod"),
        ({"Fn::Sub": ["${a}-${Stage}", {"a": {"Ref": "Bucket"}, "Stage": 3}]}, "shop-bucket-3"),
        ({"Fn::Sub": ["${a}", {"a": True}]}, "true"),
        ({"Fn::Join": ["-", ["a", 1, {"Ref": "Stage"}]]}, "a-1-prod"),
        ({"Fn::Join": [",", {"Ref": "Names"}]}, "a,b"),
        ({"Fn::If": ["IsProd", 1, 2]}, 1),
        ({"Fn::If": ["IsDev", 1, {"Ref": "AWS::NoValue"}]}, NO_VALUE),
        ({"Fn::If": ["IsProd", 1, {"Ref": "Nobody"}]}, 1),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": ["0", {"Ref": "Names"}]}, "a"),
        ({"Fn::Select": [2, {"Fn::Split": [":", {"Fn::GetAtt": ["Bucket", "Arn"]}]}]}, "s3"),
        ({"Fn::Split": [",", "a,,b"]}, ["a", "", "b"]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]}, 512),
        ({"Fn::FindInMap": ["Sizes", "test", "Memory", {"DefaultValue": 64}]}, 64),
        ({"Fn::Base64": "héllo"}, base64.b64encode("héllo".encode()).decode()),
        ({"Fn::ToJsonString": {"a": [1, {"Ref": "Stage"}]}}, '{"a":[1,"prod"]}'),
        ({"Fn::Length": {"Ref": "Names"}}, 2),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, "8"]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::Cidr": ["10.0.0.0/16", 1]}, ["10.0.0.0/24"]),
        ({"Fn::Cidr": ["2001:db8::/56", 1, 64]}, ["2001:db8::/64"]),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
        ({"A": {"Ref": "AWS::NoValue"}, "B": None, "C": [False, 0]}, {"B": None, "C": [False, 0]}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
        ({"Ref": "Stage", "Other": 1}, {"Ref": "Stage", "Other": 1}),
    ],
)
def test_functions(node: Any, value: Any) -> None:
    assert resolve(node) == value


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"Ref": "Nobody"}, "there is no Nobody.Ref"),
        ({"Fn::GetAtt": ["Bucket", "Colour"]}, "no Bucket.Colour"),
        ({"Fn::GetAtt": "Bucket"}, "a logical id and an attribute"),
        ({"Fn::Sub": "${Nobody}"}, "there is no Nobody"),
        ({"Fn::Sub": "${Names}"}, "is not text"),
        ({"Fn::Sub": ["x", {}, 3]}, "a text and a mapping"),
        ({"Fn::Join": ["-", "abc"]}, "not a list"),
        ({"Fn::Select": [2, ["a", "b"]]}, "no item 2"),
        ({"Fn::Select": ["x", ["a"]]}, "invalid literal"),
        ({"Fn::If": ["Nothing", 1, 2]}, "no condition Nothing"),
        ({"Fn::If": ["IsProd", 1]}, "a condition and two values"),
        ({"Fn::FindInMap": ["Sizes", "test", "Memory"]}, "no test"),
        ({"Fn::ImportValue": "x"}, "No export named x found"),
        ({"Fn::Transform": {"Name": "x"}}, "macros are not offered"),
        ({"Fn::Cidr": ["10.0.0.0/24", 4, 7]}, "only 2 parts"),
        ({"Fn::Cidr": ["10.0.0.0/24", 1, 9]}, "cannot be cut"),
        ({"Fn::Cidr": ["10.0.0.0/24"]}, "a block, a count"),
        ({"Fn::Nope": 1}, "no function Fn::Nope"),
        ({"Fn::Sub": "x", "Fn::Join": []}, "stands alone"),
        ({"Fn::If": ["Round", 1, 2]}, "depends on itself"),
        ({"Fn::If": ["OfResource", 1, 2]}, "before there are resources"),
        ({"Fn::If": ["Odd", 1, 2]}, "Equals of two"),
    ],
)
def test_what_cannot_be_worked_out_says_why(node: Any, words: str) -> None:
    with pytest.raises(Unresolvable, match=words):
        resolve({"Deep": [node]})


def test_the_steps_lead_to_the_function() -> None:
    with pytest.raises(Unresolvable) as told:
        resolve({"Deep": [1, {"Fn::Join": ["", [{"Ref": "Nobody"}]]}]})
    assert told.value.steps == ("Root", "Deep", 1, "Fn::Join", 1, 0, "Ref")


@pytest.mark.parametrize(
    ("name", "holds"), [("IsProd", True), ("IsDev", False), ("Both", False), ("Either", True), ("Flag", True)]
)
def test_conditions(name: str, holds: bool) -> None:
    assert Resolver(BODY, VALUES, find, find).condition(name, ()) is holds


@pytest.mark.parametrize(
    "node",
    [
        {"Ref": "Late"},
        {"Fn::Sub": "x-${Late}"},
        {"Fn::Join": ["", ["x", {"Ref": "Late"}]]},
        {"Fn::Select": [3, {"Fn::Split": [":", {"Ref": "Late"}]}]},
        {"Fn::Base64": {"Ref": "Late"}},
        {"Fn::ToJsonString": {"a": [{"Ref": "Late"}]}},
    ],
)
def test_what_is_built_from_an_unknown_is_unknown(node: Any) -> None:
    assert isinstance(resolve(node), Later)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text().filter(lambda k: "Fn::" not in k), inner),
    max_leaves=15,
).filter(lambda value: "Ref" not in json.dumps(value))


@given(plain)
def test_values_without_functions_are_as_they_are(value: Any) -> None:
    assert resolve(value) == value


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="|")), min_size=1, max_size=6))
def test_join_and_split_undo_each_other(parts: list[str]) -> None:
    assert resolve({"Fn::Split": ["|", {"Fn::Join": ["|", parts]}]}) == parts


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="{}$")))
def test_sub_changes_nothing_but_variables(text: str, literal: str) -> None:
    around = text.replace("${", "")
    assert resolve({"Fn::Sub": f"{around}${{!{literal}}}{around}"}) == f"{around}${{{literal}}}{around}"

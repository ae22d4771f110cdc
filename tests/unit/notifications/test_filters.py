"""SNS's filter policies, as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alight.notifications.filter_rules import NestedPolicyError, PolicyError, read_policy
from alight.notifications.filters import ATTRIBUTES_SCOPE, BODY_SCOPE, wants


def string(value: str) -> dict[str, str]:
    return {"Type": "String", "Value": value}


def number(value: str) -> dict[str, str]:
    return {"Type": "Number", "Value": value}


def array(*values: Any) -> dict[str, str]:
    return {"Type": "String.Array", "Value": json.dumps(values)}


ATTRIBUTE_CASES = [
    # policy, attributes, wanted
    ({}, {}, True),
    ({"a": ["x"]}, {"a": string("x")}, True),
    ({"a": ["x"]}, {"a": string("X")}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x", "y"]}, {"a": string("y")}, True),
    ({"a": ["x"], "b": ["y"]}, {"a": string("x")}, False),
    ({"a": ["x"], "b": ["y"]}, {"a": string("x"), "b": string("y")}, True),
    ({"a": ["x"]}, {"a": array("w", "x")}, True),
    ({"a": ["x"]}, {"a": array("w")}, False),
    ({"a": [1]}, {"a": number("1.0")}, True),
    ({"a": [1]}, {"a": string("1")}, False),
    ({"a": ["1"]}, {"a": number("1")}, False),
    ({"a": [True]}, {"a": array(True, "x")}, True),
    ({"a": [1]}, {"a": array(True)}, False),
    ({"a": [None]}, {"a": array(None)}, True),
    ({"a": [None]}, {}, False),
    ({"a": ["x"]}, {"a": {"Type": "Binary", "Value": "eA=="}}, False),
    ({"a": [{"prefix": "ab"}]}, {"a": string("abc")}, True),
    ({"a": [{"prefix": "ab"}]}, {"a": string("xab")}, False),
    ({"a": [{"suffix": "bc"}]}, {"a": string("abc")}, True),
    ({"a": [{"suffix": "bc"}]}, {"a": string("abcd")}, False),
    ({"a": [{"equals-ignore-case": "TennIs"}]}, {"a": string("tENNIS")}, True),
    ({"a": [{"equals-ignore-case": "tennis"}]}, {"a": string("golf")}, False),
    ({"a": [{"anything-but": "x"}]}, {"a": string("y")}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": string("x")}, False),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": string("z")}, True),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": string("y")}, False),
    ({"a": [{"anything-but": ["rugby", "tennis"]}]}, {"a": array("rugby", "baseball")}, True),
    ({"a": [{"anything-but": ["rugby", "tennis"]}]}, {"a": array("rugby")}, False),
    ({"a": [{"anything-but": [100, 500]}]}, {"a": number("101")}, True),
    ({"a": [{"anything-but": [100, 500]}]}, {"a": number("100")}, False),
    ({"a": [{"anything-but": {"prefix": "order-"}}]}, {"a": string("data-1")}, True),
    ({"a": [{"anything-but": {"prefix": "order-"}}]}, {"a": string("order-1")}, False),
    ({"a": [{"anything-but": {"suffix": ".tmp"}}]}, {"a": string("x.tmp")}, False),
    ({"a": [{"numeric": ["=", 301.5]}]}, {"a": number("3.015e2")}, True),
    ({"a": [{"numeric": ["<", 0]}]}, {"a": number("-1")}, True),
    ({"a": [{"numeric": ["<", 0]}]}, {"a": number("0")}, False),
    ({"a": [{"numeric": [">", 0, "<=", 150]}]}, {"a": number("150")}, True),
    ({"a": [{"numeric": [">", 0, "<=", 150]}]}, {"a": number("150.1")}, False),
    ({"a": [{"numeric": [">", 0, "<=", 150]}]}, {"a": number("0")}, False),
    ({"a": [{"numeric": [">", 0]}]}, {"a": string("5")}, False),
    ({"a": [{"numeric": [">", 0]}]}, {"a": array(-1, 5)}, True),
    ({"a": [{"exists": True}]}, {"a": string("x")}, True),
    ({"a": [{"exists": True}]}, {"b": string("x")}, False),
    ({"a": [{"exists": False}]}, {"b": string("x")}, True),
    ({"a": [{"exists": False}]}, {"a": string("x")}, False),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": string("10.0.0.255")}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": string("10.0.1.0")}, False),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": string("2001:db8::1")}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": string("not an address")}, False),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": string("y")}, True),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": string("x")}, False),
    ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": string("x")}, False),
    ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": string("x"), "c": string("z")}, True),
    ({"a": ["x", {"prefix": "ab"}, {"numeric": ["=", 3]}]}, {"a": number("3")}, True),
]

BODY_CASES = [
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x"]}, {"a": ["w", "x"]}, True),
    ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
    ({"a": {"b": ["x"]}}, {"a": {"b": "y"}}, False),
    ({"a": {"b": ["x"]}}, {"a": "x"}, False),
    ({"a": {"b": {"c": [{"numeric": [">", 1]}]}}}, {"a": {"b": {"c": 2}}}, True),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x", "c": "n"}, {"b": "n", "c": "y"}]}, False),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "n"}, {"b": "x", "c": "y"}]}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a": {"c": 1}}, True),
    ({"a": {"b": [{"exists": False}]}}, {}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a": {"b": None}}, False),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [True]}, {"a": True}, True),
    ({"a": [1]}, {"a": True}, False),
    ({"a": {"$or": [{"b": ["x"]}, {"c": ["y"]}]}}, {"a": {"c": "y"}}, True),
    ({"Records": {"s3": {"object": {"key": [{"prefix": "birds/"}]}}}},
     {"Records": [{"s3": {"object": {"key": "birds/card.jpg"}}}]}, True),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "attributes", "wanted"), ATTRIBUTE_CASES)
def test_attributes(policy: dict[str, Any], attributes: dict[str, dict[str, str]], wanted: bool) -> None:
    read_policy(json.dumps(policy), ATTRIBUTES_SCOPE)
    assert wants(policy, ATTRIBUTES_SCOPE, "body", attributes) is wanted


@pytest.mark.parametrize(("policy", "body", "wanted"), BODY_CASES)
def test_bodies(policy: dict[str, Any], body: dict[str, Any], wanted: bool) -> None:
    read_policy(json.dumps(policy), BODY_SCOPE)
    assert wants(policy, BODY_SCOPE, json.dumps(body), {}) is wanted


@pytest.mark.parametrize("body", ["not json", "[]", '"x"', ""])
def test_a_body_that_is_no_object_passes_no_body_policy(body: str) -> None:
    assert wants({"a": [{"exists": False}]}, BODY_SCOPE, body, {}) is False


WRONG = [
    ({"k": [["value"]]}, "Match value must be String, number, true, false, or null"),
    ({"k": [{"wrong-operator": True}]}, "Unrecognized match type wrong-operator"),
    ({"k": [{"suffix": "value", "prefix": "value2"}]}, "Only one key allowed in match expression"),
    ({"k": [{"suffix": 100}]}, "suffix match pattern must be a string"),
    ({"k": [{"prefix": None}]}, "prefix match pattern must be a string"),
    ({"k": {"suffix": "value"}}, '"suffix" must be an object or an array'),
    ({"k": "value"}, '"k" must be an object or an array'),
    ({"k": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
    ({"k": [{"numeric": ["operator"]}]}, "Unrecognized numeric range operator: operator"),
    ({"k": [{"numeric": [1, "<="]}]}, "Invalid member in numeric match: 1"),
    ({"k": [{"numeric": ["=", "000"]}]}, "Value of equals must be numeric"),
    ({"k": [{"numeric": [">="]}]}, "Value of >= must be numeric"),
    ({"k": [{"numeric": ["<", 100, ">", 10]}]}, "Too many elements in numeric expression"),
    ({"k": [{"numeric": [">=", 1, ">", 2]}]}, "Bad numeric range operator: >"),
    ({"k": [{"numeric": [">", 3, "<", 1]}]}, "Bottom must be less than top"),
    ({"k": [{"numeric": [">", 20, "<="]}]}, "Value of <= must be numeric"),
    ({"k": [{"numeric": [">", 20, 30]}]}, "Bad value in numeric range: 30"),
    ({"k": [{"numeric": [">", 20, "test"]}]}, "Bad numeric range operator: test"),
    ({"k": [{"numeric": [">", "20", "<", "30"]}]}, "Value of > must be numeric"),
    ({"k": [{"numeric": [">", 20, "<", "30"]}]}, "Value of < must be numeric"),
    ({"k": [{"numeric": [">", 20, "<", 30, "<", 50]}]}, "Too many terms in numeric range expression"),
    ({"k": [{"exists": None}]}, "exists match pattern must be either true or false."),
    ({"k": [{"exists": "no"}]}, "exists match pattern must be either true or false."),
    ({"k": [{"anything-but": []}]}, "Empty arrays are not allowed"),
    ({"k": []}, "Empty arrays are not allowed"),
    ({"k": [{"cidr": "10.0.0.0/99"}]}, "Malformed CIDR, one '/' required: 10.0.0.0/99"),
    ({f"k{number}": ["v"] for number in range(6)}, "Filter policy can not have more than 5 keys"),
    ({"k": [str(number) for number in range(151)]}, "Filter policy is too complex"),
    ({"a": ["1"] * 13, "b": ["1"] * 12}, "Filter policy is too complex"),
    ({"$or": [{"a": ["1"] * 100}, {"b": ["1"] * 51}]}, "Filter policy is too complex"),
]


@pytest.mark.parametrize(("policy", "problem"), WRONG)
def test_wrong_policies_are_refused_in_the_words_of_sns(policy: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(json.dumps(policy), BODY_SCOPE)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "policy",
    [
        {"k": [str(number) for number in range(150)]},
        {"a": ["1"] * 15, "b": ["1"] * 10},
        {"$or": [{"a": ["1"] * 100}, {"b": ["1"] * 50}]},
        {f"k{number}": ["v"] for number in range(5)},
    ],
)
def test_policies_at_the_limit_are_taken(policy: dict[str, Any]) -> None:
    assert read_policy(json.dumps(policy), ATTRIBUTES_SCOPE) == policy


def test_depth_counts_towards_the_combinations() -> None:
    nested = {
        "key_a": {"key_b": {"key_c": ["1", "2", "3", "4"]}},
        "key_d": {"key_e": ["1", "2", "3"]},
        "key_f": ["1", "2", "3"],
    }
    with pytest.raises(PolicyError, match="Filter policy is too complex"):
        read_policy(json.dumps(nested), BODY_SCOPE)


def test_attribute_policies_have_no_nesting() -> None:
    with pytest.raises(NestedPolicyError):
        read_policy('{"a": {"b": ["x"]}}', ATTRIBUTES_SCOPE)


@pytest.mark.parametrize("text", ["{invalid", "[]", '"x"', "1"])
def test_what_is_no_object_fails_to_parse(text: str) -> None:
    with pytest.raises(PolicyError, match=r"failed to parse JSON\."):
        read_policy(text, ATTRIBUTES_SCOPE)


def test_a_policy_has_a_size_limit() -> None:
    with pytest.raises(PolicyError, match="too long"):
        read_policy(json.dumps({"k": ["x" * 262_144]}), ATTRIBUTES_SCOPE)

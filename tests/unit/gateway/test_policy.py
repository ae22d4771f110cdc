"""Policies as a table: what is written, what is asked, and whether AWS would allow it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from alight.gateway.policy import NOBODY, Keys, Spoken, Verdict, allowed, verdict

OBJECT = "arn:aws:s3:::pics/birds/card.jpg"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:classify"


def statement(effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def everybody_may(document: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    """What a resource's own policy says of a caller without a name."""
    return verdict([document], action, resource, context, NOBODY) is Verdict.ALLOWED


def without(name: str, **more: Any) -> dict[str, Any]:
    made = {**statement(), **more}
    del made[name]
    return made


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], False),
        ([statement()], True),
        ([statement(action="s3:*")], True),
        ([statement(action="*")], True),
        ([statement(action="S3:getobject")], True),
        ([statement(action="s3:Get*")], True),
        ([statement(action="s3:G?tObject")], True),
        ([statement(action=["s3:PutObject", "s3:GetObject"])], True),
        ([statement(action="s3:GetObjec")], False),
        ([statement(action="s3:PutObject")], False),
        ([statement(action="sns:GetObject")], False),
        ([statement(resource=OBJECT)], True),
        ([statement(resource="arn:aws:s3:::pics/*")], True),
        ([statement(resource="arn:aws:s3:::*")], True),
        ([statement(resource="arn:aws:s3:::pics/birds/????.jpg")], True),
        ([statement(resource=["arn:aws:s3:::x/*", "arn:aws:s3:::pics/*"])], True),
        ([statement(resource="arn:aws:s3:::pics")], False),
        ([statement(resource="arn:aws:s3:::PICS/*")], False),
        ([statement(resource="arn:aws:s3*")], False),
        ([statement(resource="arn:*")], False),
        ([statement(), statement("Deny")], False),
        ([statement("Deny"), statement()], False),
        ([statement(), statement("Deny", resource="arn:aws:s3:::pics/secret/*")], True),
        ([statement(), statement("Deny", action="s3:Put*")], True),
        ([statement("Deny")], False),
        ([without("Action", NotAction="s3:PutObject")], True),
        ([without("Action", NotAction="s3:*")], False),
        ([without("Resource", NotResource="arn:aws:s3:::other/*")], True),
        ([without("Resource", NotResource="arn:aws:s3:::pics/*")], False),
        ([statement(), without("Resource", Effect="Deny", NotResource="arn:aws:s3:::other/*")], False),
        ([statement(Effect="allow")], False),
        ([without("Effect")], False),
        ([without("Action")], False),
        ([without("Resource")], False),
        ([statement(), without("Action", Effect="Deny")], False),
        ([statement(resource="arn:aws:s3:::${aws:username}/*")], True),
        ([statement(resource="arn:aws:s3:::${aws:unknown}/*")], False),
        ([statement(resource="arn:aws:s3:::${aws:unknown, 'pics'}/*")], True),
        ([statement(resource="arn:aws:s3:::${*}/*")], False),
        ([statement(resource="arn:aws:s3:::${aws:wild}/*")], False),
        ([statement(resource=None)], False),
        ([statement(action=5)], False),
        ([statement(), statement("Deny", action=5)], False),
    ],
)
def test_statements(statements: list[dict[str, Any]], expected: bool) -> None:
    context = {"aws:username": "pics", "aws:wild": "*"}
    assert allowed([policy(*statements)], "s3:GetObject", OBJECT, context) is expected
    assert allowed([policy(item) for item in statements], "s3:GetObject", OBJECT, context) is expected


CONTEXT: dict[str, str | tuple[str, ...]] = {
    "aws:SourceIp": "10.1.2.3",
    "aws:PrincipalArn": "arn:aws:iam::000000000000:role/app/worker",
    "s3:prefix": "birds/",
    "aws:CurrentTime": "2026-01-02T03:04:05Z",
    "aws:EpochTime": "1767323045",
    "aws:SecureTransport": "false",
    "s3:max-keys": "100",
    "aws:TagKeys": ("a", "b"),
}


@pytest.mark.parametrize(("key", "expected"), [("a*", True), ("a?", False), ("ab", False), ("a\ue000", False)])
def test_a_star_that_is_meant_as_such_is_that_sign_alone(key: str, expected: bool) -> None:
    """Also where a key is spelled with the sign that stands for it inside, and would be the same text."""
    item = statement(resource="arn:aws:s3:::pics/a${*}")
    assert allowed([policy(item)], "s3:GetObject", f"arn:aws:s3:::pics/{key}", {}) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"s3:prefix": "birds/"}}, True),
        ({"StringEquals": {"S3:Prefix": "birds/"}}, True),
        ({"StringEquals": {"s3:prefix": ["cats/", "birds/"]}}, True),
        ({"StringEquals": {"s3:prefix": "Birds/"}}, False),
        ({"StringEqualsIgnoreCase": {"s3:prefix": "Birds/"}}, True),
        ({"StringNotEquals": {"s3:prefix": "birds/"}}, False),
        ({"StringNotEquals": {"s3:prefix": ["cats/", "dogs/"]}}, True),
        ({"StringLike": {"s3:prefix": "b*/"}}, True),
        ({"StringNotLike": {"s3:prefix": "b*/"}}, False),
        ({"StringEquals": {"s3:prefix": "b*/"}}, False),
        ({"StringEquals": {"absent": "x"}}, False),
        ({"StringNotEquals": {"absent": "x"}}, True),
        ({"StringEqualsIfExists": {"absent": "x"}}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "x"}}, False),
        ({"Null": {"absent": "true"}}, True),
        ({"Null": {"s3:prefix": "true"}}, False),
        ({"Null": {"s3:prefix": False}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.1.2.3"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "11.0.0.0/8"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"IpAddress": {"aws:SourceIp": "not one"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:user/*"}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": 100}}, True),
        ({"NumericLessThan": {"s3:max-keys": "100"}}, False),
        ({"NumericEquals": {"s3:max-keys": "1e2"}}, True),
        ({"NumericNotEquals": {"s3:max-keys": "100"}}, False),
        ({"NumericGreaterThan": {"s3:prefix": "1"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-01-01"}}, False),
        ({"DateLessThanEquals": {"aws:EpochTime": "1767323045"}}, True),
        ({"ForAllValues:StringEquals": {"absent": "x"}}, True),
        ({"ForAnyValue:StringEquals": {"absent": "x"}}, False),
        ({"ForAnyValue:StringLike": {"s3:prefix": "b*"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, False),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": "a"}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["b", "x"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}}, False),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}, True),
        ({"StringEquals": {"aws:TagKeys": "${aws:TagKeys}"}}, False),
        ({"StringEquals": {"s3:prefix": "birds/"}, "Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringEquals": {"s3:prefix": "birds/", "absent": "x"}}, False),
        ({"Unheard": {"s3:prefix": "birds/"}}, False),
        ({"ForSome:StringEquals": {"s3:prefix": "birds/"}}, False),
        ({"StringEquals": "birds/"}, False),
    ],
)
def test_conditions(condition: dict[str, Any], expected: bool) -> None:
    given = statement(Condition=condition)
    assert allowed([policy(given)], "s3:GetObject", OBJECT, CONTEXT) is expected


@pytest.mark.parametrize(
    "condition", [{"Unheard": {"a": "b"}}, {"StringEquals": 5}, {"IpAddress": {"aws:SourceIp": "?"}}]
)
def test_a_denial_that_cannot_be_understood_denies(condition: dict[str, Any]) -> None:
    deny = statement("Deny", Condition=condition)
    assert not allowed([policy(statement(), deny)], "s3:GetObject", OBJECT, CONTEXT)


def test_arns_of_functions() -> None:
    invoke = statement(action="lambda:InvokeFunction", resource="arn:aws:lambda:*:*:function:class*")
    assert allowed([policy(invoke)], "lambda:InvokeFunction", FUNCTION, {})
    assert allowed([policy(invoke)], "lambda:InvokeFunction", FUNCTION + ":1", {})
    assert not allowed([policy(invoke)], "lambda:InvokeFunction", FUNCTION.replace("classify", "other"), {})


@pytest.mark.parametrize(
    ("principal", "expected"),
    [("*", True), ({"AWS": "*"}, True), ({"AWS": ["arn:x", "*"]}, True), ({"AWS": "arn:x"}, False), (None, False),
     ({"Service": "*"}, False)],
)  # fmt: skip
def test_what_everybody_may(principal: Any, expected: bool) -> None:
    document = policy(statement(Principal=principal))
    assert everybody_may(document, "s3:GetObject", OBJECT, {}) is expected
    others = policy(statement(Principal=principal), statement("Deny", Principal={"AWS": "arn:x"}))
    assert everybody_may(others, "s3:GetObject", OBJECT, {}) is expected
    for denial in (
        statement("Deny", Principal="*"),
        statement("Deny", NotPrincipal={"AWS": "arn:x"}),
        statement("Deny"),
    ):
        denied = policy(statement(Principal=principal), denial)
        assert not everybody_may(denied, "s3:GetObject", OBJECT, {})


def test_a_single_statement_needs_no_list() -> None:
    assert allowed([{"Statement": statement()}], "s3:GetObject", OBJECT, {})
    assert not allowed([{"Statement": "nonsense"}, {}], "s3:GetObject", OBJECT, {})


@pytest.mark.parametrize(
    "resource", ["*/birds/card.jpg", "pics/*", "arn:aws:s3", "", [OBJECT.replace("card", "x"), "*x"]]
)
def test_what_is_no_arn_keeps_a_statement_on_the_closed_side(resource: Any) -> None:
    everything = statement()
    no_arn = policy(everything, statement("Deny", resource=resource))
    all_but_no_arn = policy(everything, without("Resource", Effect="Deny", NotResource="*/birds/card.jpg"))
    for denied in (no_arn, all_but_no_arn):
        assert not allowed([denied], "s3:GetObject", OBJECT, {})
    assert not allowed([policy(statement(resource=resource))], "s3:GetObject", OBJECT, {})
    assert not allowed([policy(without("Resource", NotResource=resource))], "s3:GetObject", OBJECT, {})
    assert allowed([policy(statement(resource=["no arn", OBJECT]))], "s3:GetObject", OBJECT, {})


@pytest.mark.timeout(20)
def test_a_pattern_of_many_stars_takes_no_longer_than_another() -> None:
    """Whoever may write a policy could stop everybody's requests with it."""
    stars, key = "arn:aws:s3:::pics/" + "*a" * 40, "arn:aws:s3:::pics/" + "a" * 1000
    assert allowed([policy(statement(resource=stars))], "s3:GetObject", key, {})
    assert not allowed([policy(statement(resource=f"{stars}b"))], "s3:GetObject", key, {})
    like = {"StringLike": {"aws:UserAgent": "*a" * 40 + "b"}}
    assert not allowed([policy(statement(Condition=like))], "s3:GetObject", key, {"aws:UserAgent": "a" * 1000})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*bird*ca?d*", True),
        ("b*b*", False),
        ("*r*r*d*", True),
        ("*jpg*g", False),
        ("*.j*g", True),
        ("?irds/*d.jpg", True),
    ],
)
def test_stars_in_the_middle(pattern: str, expected: bool) -> None:
    assert allowed([policy(statement(resource=f"arn:aws:s3:::pics/{pattern}"))], "s3:GetObject", OBJECT, {}) is expected


def test_condition_keys_are_gathered_once_and_only_where_a_statement_asks_for_one() -> None:
    gathered: list[str] = []

    def gather() -> dict[str, str]:
        gathered.append("gathered")
        return {"aws:UserName": "me"}

    plain = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    keys = Keys(gather)
    assert verdict([{"Statement": [plain]}], "s3:GetObject", "arn:aws:s3:::b/k", keys) is Verdict.ALLOWED
    assert gathered == []
    mine = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b/${AWS:username}"}
    of_mine = mine | {"Resource": "*", "Condition": {"StringEquals": {"aws:username": "me"}}}
    assert verdict([{"Statement": [plain, mine]}], "s3:GetObject", "arn:aws:s3:::b/me", keys) is Verdict.DENIED
    assert verdict([{"Statement": [plain, of_mine]}], "s3:GetObject", "arn:aws:s3:::b/k", keys) is Verdict.DENIED
    assert gathered == ["gathered"]


def test_what_is_remembered_of_many_resources_is_little() -> None:
    spoken = Spoken([{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}]}])
    tracemalloc.start()
    for number in range(10_000):
        resource = f"arn:aws:s3:::b/{number:01000d}"
        assert spoken.verdict("s3:PutObject", resource, Keys(dict)) is Verdict.ALLOWED
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 256 << 10

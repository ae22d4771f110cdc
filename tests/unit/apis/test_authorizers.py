"""What authorizers are asked, what their answers mean, and how long they are remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from alight.apis.api import Authorizer, Route
from alight.apis.authorizers import Memory, Verdict, add_to_context, identity_of, judge, question, read_verdict
from alight.apis.calling import method_arns
from alight.apis.ids import long_id, short_id
from alight.apis.proxy_v1 import context_v1
from alight.apis.proxy_v2 import context_v2
from alight.apis.routes import Match, Table
from alight.errors.apis import AuthorizerFailed, NotAuthorized, UnauthorizedException
from alight.gateway.policy import allowed
from tests.unit.apis.making import FUNCTION, REQUEST_ID, incoming, stage

ARN = "arn:aws:execute-api:us-east-1:000000000000:abcdef1234/prod/GET/pets"
ASKED = incoming("GET", "/pets", "token=q&token=r", [("X-Key", "k"), ("Cookie", "a=b")])
MATCH = Match(Route("GET", "/pets", FUNCTION, resource_id="r1"), {})
REST, HTTP = stage("REST", variables={"v": "s"}), stage("HTTP", variables={"v": "s"})


def policy(effect: str, resource: str = ARN, action: str = "execute-api:Invoke") -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


def test_identity_sources_of_both_notations() -> None:
    context = context_v1(REST, MATCH, ASKED, None, "")
    rest = (
        "method.request.header.x-KEY",
        "method.request.querystring.token",
        "stageVariables.v",
        "context.identity.sourceIp",
    )
    assert identity_of(Authorizer("a", "REQUEST", "f", rest), REST, ASKED, context) == ("k", "r", "s", "192.0.2.7")
    context = context_v2(HTTP, MATCH, ASKED, None, "")
    http = (
        "$request.header.X-Key",
        "$request.querystring.token",
        "$stageVariables.v",
        "$context.http.method",
        "$context.routeKey",
    )
    found = identity_of(Authorizer("a", "REQUEST", "f", http), HTTP, ASKED, context)
    assert found == ("k", "r", "s", "GET", "GET /pets")
    for source in ("method.request.header.none", "context.nothing.there", "stageVariables.none", "nonsense"):
        with pytest.raises(UnauthorizedException):
            identity_of(Authorizer("a", "REQUEST", "f", (source,)), REST, ASKED, context)


def test_a_token_has_to_look_right() -> None:
    source = ("method.request.header.X-Key",)
    assert identity_of(Authorizer("a", "TOKEN", "f", source, pattern="k+"), REST, ASKED, {}) == ("k",)
    with pytest.raises(UnauthorizedException):
        identity_of(Authorizer("a", "TOKEN", "f", source, pattern="[0-9]+"), REST, ASKED, {})
    with pytest.raises(UnauthorizedException):
        identity_of(Authorizer("a", "TOKEN", "f"), REST, ASKED, {})


def test_questions_have_the_members_that_aws_documents() -> None:
    context = context_v1(HTTP, MATCH, ASKED, None, "")
    first = question(Authorizer("a", "REQUEST", "f", payload="1.0"), HTTP, MATCH, ASKED, context, ("k", "r"), ARN)
    assert set(first) == {
        "version", "type", "methodArn", "identitySource", "authorizationToken", "resource", "path", "httpMethod",
        "headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters",
        "stageVariables", "requestContext",
    }  # fmt: skip
    assert (first["identitySource"], first["authorizationToken"], first["pathParameters"]) == ("k,r", "k,r", {})
    second = question(Authorizer("a", "REQUEST", "f", payload="2.0"), HTTP, MATCH, ASKED, context, ("k",), ARN)
    assert set(second) == {
        "version", "type", "routeArn", "identitySource", "routeKey", "rawPath", "rawQueryString", "cookies", "headers",
        "queryStringParameters", "requestContext", "stageVariables",
    }  # fmt: skip


def read(authorizer: Authorizer, said: Any, failed: bool = False) -> Verdict:
    return read_verdict(authorizer, json.dumps(said).encode(), failed, 5)


POLICY = Authorizer("a", "REQUEST", "f")
SIMPLE = Authorizer("s", "REQUEST", "f", payload="2.0", simple=True)


@pytest.mark.parametrize(
    ("authorizer", "said", "failed"),
    [
        (POLICY, None, False),
        (POLICY, {"principalId": "p"}, False),
        (POLICY, {"policyDocument": policy("Allow")}, False),
        (POLICY, {"principalId": "p", "policyDocument": policy("Allow"), "context": {"a": [1]}}, False),
        (POLICY, {"principalId": "p", "policyDocument": policy("Allow"), "context": "x"}, False),
        (POLICY, {"errorMessage": "KeyError"}, True),
        (SIMPLE, {"isAuthorized": "yes"}, False),
        (SIMPLE, {"principalId": "p", "policyDocument": policy("Allow")}, False),
    ],
)
def test_an_answer_that_is_none(authorizer: Authorizer, said: Any, failed: bool) -> None:
    with pytest.raises(AuthorizerFailed):
        read(authorizer, said, failed)


def test_the_one_error_that_means_something() -> None:
    with pytest.raises(UnauthorizedException):
        read(POLICY, {"errorMessage": "Unauthorized"}, failed=True)


def test_a_policy_is_judged_for_the_method() -> None:
    def judged(document: Any) -> str:
        try:
            judge(read(POLICY, {"principalId": "p", "policyDocument": document}), [ARN], "192.0.2.7", allowed)
        except NotAuthorized as fault:
            return fault.message
        return "allowed"

    said = "User is not authorized to access this resource"
    assert judged(policy("Allow")) == "allowed"
    assert judged(policy("Allow", "arn:aws:execute-api:*:*:abcdef1234/*/GET/*")) == "allowed"
    assert judged(policy("Allow", action="*")) == "allowed"
    assert judged(policy("Allow", ARN.replace("GET", "POST"))) == said
    assert judged(policy("Allow", action="lambda:InvokeFunction")) == said
    assert judged({"Statement": []}) == said
    assert judged(policy("Deny")) == f"{said} with an explicit deny"
    assert (
        judged({"Statement": policy("Allow")["Statement"] + policy("Deny", "*")["Statement"]})
        == f"{said} with an explicit deny"
    )


@pytest.mark.parametrize("path", ["/pets", "/pets/", "/%70ets", "/%70ets/", "/pets//"])
def test_no_spelling_of_a_path_slips_by_a_deny(path: str) -> None:
    document = {"Statement": policy("Allow", "*")["Statement"] + policy("Deny")["Statement"]}
    verdict = read(POLICY, {"principalId": "p", "policyDocument": document})
    assert Table(replace(REST, routes=(MATCH.route,))).match("GET", path) is not None
    with pytest.raises(NotAuthorized, match="explicit deny"):
        judge(verdict, method_arns(REST, incoming("GET", path)), "192.0.2.7", allowed)
    exact = read(POLICY, {"principalId": "p", "policyDocument": policy("Allow")})
    if path != "/pets":
        # What is allowed is allowed as it is spelled, no further.
        with pytest.raises(NotAuthorized):
            judge(exact, method_arns(REST, incoming("GET", path)), "192.0.2.7", allowed)


def test_a_short_answer_has_decided_already() -> None:
    judge(read(SIMPLE, {"isAuthorized": True}), [ARN], "192.0.2.7", allowed)
    with pytest.raises(NotAuthorized):
        judge(read(SIMPLE, {"isAuthorized": False}), [ARN], "192.0.2.7", allowed)


def test_what_the_function_is_told() -> None:
    verdict = read(
        POLICY, {"principalId": 7, "policyDocument": policy("Allow"), "context": {"a": 1, "b": True, "c": "x"}}
    )
    context: dict[str, Any] = {}
    add_to_context(REST, "1.0", context, verdict)
    assert context["authorizer"] == {"a": "1", "b": "true", "c": "x", "principalId": "7", "integrationLatency": 5}
    add_to_context(HTTP, "2.0", context, verdict)
    assert context["authorizer"] == {"lambda": {"a": 1, "b": True, "c": "x"}}


def test_memory_forgets_in_time_and_keeps_identities_apart() -> None:
    memory, verdict = Memory(), read(SIMPLE, {"isAuthorized": True})
    memory.put(SIMPLE, ("k",), verdict, 100.0)
    assert memory.get(SIMPLE, ("k",), 399.9) is verdict
    assert memory.get(SIMPLE, ("k",), 400.0) is None
    assert memory.get(SIMPLE, ("other",), 100.0) is None
    assert memory.get(POLICY, ("k",), 100.0) is None
    forgetful = Authorizer("f", "REQUEST", "f", ttl=0)
    memory.put(forgetful, ("k",), verdict, 100.0)
    assert memory.get(forgetful, ("k",), 100.0) is None
    memory.put(SIMPLE, (), verdict, 100.0)
    assert memory.get(SIMPLE, (), 100.0) is None, "nobody is not everybody"


def test_one_id_in_two_spellings() -> None:
    assert long_id(short_id(REQUEST_ID)) == REQUEST_ID
    assert long_id(REQUEST_ID) is None
    assert long_id("JKJaXmPLvHcESHA=") is None

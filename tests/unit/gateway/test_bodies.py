"""Bodies that are not what they should be: XML and JSON that can be read in two ways, or that cost too much."""

from __future__ import annotations

from typing import Any

import pytest

from alight.errors.common import NotImplemented_
from alight.errors.gateway import MalformedXML, MissingMember, SerializationException
from alight.gateway.decode_json import parse_json, read_json
from alight.gateway.decode_query import read_query
from alight.gateway.decode_xml import read_root
from alight.gateway.models import load_service
from alight.gateway.xml import escape, parse_xml

S3 = load_service("s3")
SQS = load_service("sqs")
SNS = load_service("sns")
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DELETE = S3.operation("DeleteObjects")
LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<Delete><Object><Key>&b;</Key></Object></Delete>"
)


def read_delete(body: bytes) -> Any:
    assert DELETE is not None
    assert DELETE.inputs.payload is not None
    return read_root(DELETE.inputs.payload.shape, parse_xml(body), NAMESPACE)


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete><Object><Key>a</Key></Object></Delete>",
        b'<Delete xmlns="%s"><Object><Key>a</Key></Object></Delete>' % NAMESPACE.encode(),
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Delete>\n <Object>\n <Key>a</Key> </Object>\n</Delete>\n',
        b"<d:Delete xmlns:d='x'><d:Object><d:Key>a</d:Key></d:Object></d:Delete>",
        b"<Delete><!-- a comment --><Object><Key><![CDATA[a]]></Key></Object></Delete>",
        "\ufeff<Delete><Object><Key>a</Key></Object></Delete>".encode(),
    ],
)
def test_xml_that_is_right(body: bytes) -> None:
    assert read_delete(body) == {"Objects": [{"Key": "a"}]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"{}",
        b"<Delete>",
        b"<Delete></Other>",
        b"<Delete></Delete><Delete></Delete>",
        b"<Delete/>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key><b>a</b></Key></Object></Delete>",
        b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        b"<Delete><Object><Key>a</Key></Object><Unknown/></Delete>",
        b"<Delete><Object><Key>a</Key></Object><Quiet>perhaps</Quiet></Delete>",
        b'<Delete xmlns="http://evil.example/"><Object><Key>a</Key></Object></Delete>',
        b"<Delete><Object><Key>&unknown;</Key></Object></Delete>",
        b"<Delete><Object><Key>\xff</Key></Object></Delete>",
        b"<Delete><Object><Key>\x00</Key></Object></Delete>",
        b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
        b"<!DOCTYPE Delete><Delete><Object><Key>a</Key></Object></Delete>",
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Delete/>',
        b"<?php x?><Delete><Object><Key>a</Key></Object></Delete>",
        LAUGHS,
        b"<Delete>" * 100 + b"</Delete>" * 100,
        b"<a>" * 200_000,
        b"<Delete>" + b"<Object/>" * 200_001 + b"</Delete>",
    ],
    ids=range(24),
)
def test_xml_that_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        read_delete(body)


def test_what_is_written_can_be_read() -> None:
    text = "<&>'\"\r\n\t ü𝄞]]>"
    assert parse_xml(f"<a>{escape(text)}</a>".encode()).text == text
    written = escape("nul\x00bell\x07")
    assert parse_xml(f"<a>{written}</a>".encode()).text == "nul\ufffdbell\ufffd"


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'"\xff"',
        b'"\n"',
        b"{} {}",
    ],
    ids=range(16),
)
def test_json_that_can_be_read_in_two_ways_or_in_none(body: bytes) -> None:
    with pytest.raises(SerializationException):
        parse_json(body)


def shape(service: Any, operation: str) -> Any:
    found = service.operation(operation)
    assert found is not None
    return found.input_shape


@pytest.mark.parametrize(
    "given",
    [
        [],
        "text",
        5,
        None,
        {"QueueUrl": 5},
        {"QueueUrl": ["a"]},
        {"QueueUrl": "q", "MessageBody": {}},
        {"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": "5"},
        {"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": 5.5},
        {"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": True},
        {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": []},
        {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": "b"}},
        {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "!"}}},
        {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": {"DataType": "B", "BinaryListValues": ["é"]}}},
    ],
)
def test_json_of_the_wrong_kind(given: Any) -> None:
    with pytest.raises(SerializationException):
        read_json(shape(SQS, "SendMessage"), given, "")


def test_json_members() -> None:
    send = shape(SQS, "SendMessage")
    assert read_json(send, {"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": 5.0}, "")["DelaySeconds"] == 5
    assert read_json(send, {"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": None, "Odd": None}, "") == {
        "QueueUrl": "q",
        "MessageBody": "b",
    }
    with pytest.raises(MissingMember, match="MessageBody is required"):
        read_json(send, {"QueueUrl": "q"}, "")
    with pytest.raises(MissingMember, match=r"MessageAttributes.a.DataType is required"):
        read_json(send, {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": {}}}, "")
    with pytest.raises(NotImplemented_, match=r"MessageAttributes.a.Odd"):
        read_json(send, {"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"a": {"Odd": 1}}}, "")


@pytest.mark.parametrize(
    "body",
    [rb'"\ud834"', rb'{"\udd1e": 1}', rb'["a", ["\uD834x\uDD1E"]]', b'"\xed\xa0\xb4"', '{"a": "b"}'.encode("utf-16")],
)
def test_json_that_cannot_be_written_down(body: bytes) -> None:
    with pytest.raises(SerializationException):
        parse_json(body)


def test_pairs_of_surrogates_are_one_letter() -> None:
    assert parse_json(rb'{"\ud834\udd1e": "\u00e9\\ud834"}') == {"\U0001d11e": "é\\ud834"}


def test_query_members() -> None:
    publish = shape(SNS, "Publish")
    pairs = [("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", "t"), ("Message", "")]
    assert read_query(publish, pairs) == {"TopicArn": "t", "Message": ""}
    with pytest.raises(MissingMember, match="Message is required"):
        read_query(publish, pairs[:3])
    with pytest.raises(NotImplemented_, match="parameter Odd"):
        read_query(publish, [*pairs, ("Odd.1", "x")])
    with pytest.raises(SerializationException, match="not numbered"):
        read_query(publish, [*pairs, ("MessageAttributes.entry.x.Name", "x")])
    deep = [*pairs, (".".join(["MessageAttributes"] * 5_000), "x")]
    with pytest.raises((SerializationException, MissingMember)):
        read_query(publish, deep)

"""Filter patterns: terms, regular expressions, paths into JSON, words by their places."""

from __future__ import annotations

import json

import pytest

from alight.errors.logs import InvalidParameterException
from alight.services.logs.patterns import compile_pattern

EVENT = {
    "eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "some.key": {"x y": 5}, "flag": True, "off": False,
    "nothing": None, "latency": 12.5, "status": 404, "text": "404", "cluster-name": "c",
}  # fmt: skip
LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] no", True),
        ("ERROR", "[error] no", False),
        ("ERROR no", "[ERROR] no", True),
        ("ERROR yes", "[ERROR] no", False),
        ('"no such"', "no such file", True),
        ('"no such"', "such no", False),
        (r'"a \"b\""', 'a "b" c', True),
        ("ERROR -DEBUG", "ERROR", True),
        ("ERROR -DEBUG", "DEBUG ERROR", False),
        ('-"two words"', "two words", False),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "an INFO", False),
        ("?ERROR must", "must", True),
        ("%ERROR-\\d{3}%", "an ERROR-404 here", True),
        ("%ERROR-\\d{3}%", "an ERROR-40 here", False),
        ("%^[hc]at$% -dog", "cat", True),
        ("%[Ee]rror|[Ff]ail%", "it fails", True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('$.eventType = "UpdateTrail"', True),
        ("$.eventType = UpdateTrail", True),
        ("$.eventType = Update*", True),
        ("$.eventType = *date*", True),
        ("$.eventType != Update*", False),
        ("$.sourceIPAddress != 123.123.*", True),
        ('$.arrayKey[0] = "value"', True),
        ('$.arrayKey[1] = "value"', False),
        ("$.arrayKey[7] = x", False),
        ('$.arrayKey[*] = "another"', True),
        ("$.objectList[1].id = 2", True),
        ("$.objectList[*].id > 1", True),
        ("$.['some.key'].['x y'] = 5", True),
        ('$["some.key"]["x y"] >= 5', True),
        ("$.cluster-name = c", True),
        ("$.latency > 12 && $.latency <= 12.5", True),
        ("$.latency > 1.3e1", False),
        ("$.status = 404", True),
        ("$.status = 4*", True),
        ("$.status = 4.04e2", True),
        ("$.text = 404", True),
        ("$.text >= 404", True),
        ("$.eventType > 1", False),
        ("$.flag IS TRUE", True),
        ("$.flag IS FALSE", False),
        ("$.off IS FALSE && $.nothing IS NULL", True),
        ("$.flag = true", True),
        ("$.missing NOT EXISTS", True),
        ("$.flag NOT EXISTS", False),
        ("$.missing != x", False),
        ("$.missing IS NULL", False),
        ("$.objectList = x || $.status = 404", True),
        ("$.status = 1 || $.status = 404 && $.flag IS FALSE", False),
        ("($.status = 1 || $.status = 404) && ($.flag IS TRUE)", True),
        ("$.eventType = %Tra.l$%", True),
        ("$.eventType != %Tra.l$%", False),
        ('$.eventType = "a || b"', False),
    ],
)
def test_paths_into_json(condition: str, expected: bool) -> None:
    wants = compile_pattern(f"{{ {condition} }}")
    assert wants(json.dumps(EVENT)) is expected
    assert wants("no JSON") is False
    assert wants("[" * 100_000) is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes > 2000]", False),
        ("[ip, user, username, timestamp, request, status_code = 404]", False),
        ("[..., status_code = 404, bytes > 1000]", True),
        ("[ip = 127.0.0.1, ..., bytes < 1000]", False),
        ("[ip, ...]", True),
        ("[ip, user=Dev || user=Prod, ...]", True),
        ("[ip, user!=Dev && user!=Prod, ...]", False),
        ("[ip, (user=Dev || user=Prod) && user!=Dev, ...]", True),
        ('[,,,, request="GET /index.html HTTP/1.0", ...]', True),
        ("[ip=%127\\.0\\.0\\.[1-9]%, ...]", True),
        ("[,,,timestamp=10/Oct*,...]", True),
    ],
)
def test_words_by_their_places(pattern: str, expected: bool) -> None:
    assert compile_pattern(pattern)(LINE) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = 1", "{ a = 1 }", "{ $.a }", "{ $.a = }", "{ $.a > x }", "{ ($.a = 1 }", "{ $.a = 1 && }", 
        "{ $.a IS MAYBE }",
        "{ $.a NOT THERE }", "{ $.a = 1 $.b = 2 }", "{ $.a = %a% || $.a = %b% || $.a = %c% }", "{ $.a > %a% }",
        "[a, b", "[..., ...]", "[a=, b]", '["x"=1]', "%(a+)+b%", "%something!%", "%[a%", "x" * 1_025,
        "{ " + "(" * 30 + "$.a = 1" + ")" * 30 + " }",
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidParameterException):
        compile_pattern(pattern)

"""Where a website's rules lead, and configurations that are none."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alight.errors import Fault
from alight.services.s3.site_rules import Home, checked, everything, is_redirect_location, of_object, rule_for

BY_HOST = Home("http", "site.s3-website.localhost:4566")
BY_PATH = Home("http", "127.0.0.1:4566", "/_aws/s3-website/site")


def lead(rule: dict[str, Any], key: str, error: int | None = None, home: Home = BY_PATH) -> tuple[int, str] | None:
    found = rule_for([rule], key, home, error)
    return (found.status, found.location) if found else None


@pytest.mark.parametrize(
    ("condition", "redirect", "key", "error", "expected"),
    [
        ({"KeyPrefixEquals": "a/"}, {"ReplaceKeyPrefixWith": "b/"}, "a/x", None, (301, "/_aws/s3-website/site/b/x")),
        ({"KeyPrefixEquals": "a/"}, {"ReplaceKeyPrefixWith": "b/"}, "c/x", None, None),
        ({"KeyPrefixEquals": "a/"}, {"ReplaceKeyPrefixWith": ""}, "a/x", None, (301, "/_aws/s3-website/site/x")),
        ({"KeyPrefixEquals": "a/"}, {"ReplaceKeyWith": "z"}, "a/x", None, (301, "/_aws/s3-website/site/z")),
        ({"KeyPrefixEquals": "a/"}, {"HostName": "h.example"}, "a/x y", None, (301, "http://h.example/a/x%20y")),
        (
            {"KeyPrefixEquals": "a"},
            {"HostName": "h.example", "Protocol": "https", "HttpRedirectCode": "308"},
            "a",
            None,
            (308, "https://h.example/a"),
        ),
        (
            {"KeyPrefixEquals": "a"},
            {"Protocol": "https"},
            "a",
            None,
            (301, "https://127.0.0.1:4566/_aws/s3-website/site/a"),
        ),
        (None, {"ReplaceKeyWith": "z"}, "anything", None, (301, "/_aws/s3-website/site/z")),
        ({"HttpErrorCodeReturnedEquals": "404"}, {"ReplaceKeyWith": "z"}, "x", None, None),
        ({"HttpErrorCodeReturnedEquals": "404"}, {"ReplaceKeyWith": "z"}, "x", 403, None),
        ({"HttpErrorCodeReturnedEquals": "404"}, {"ReplaceKeyWith": "z"}, "x", 404, (301, "/_aws/s3-website/site/z")),
        (
            {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "app/"},
            {"ReplaceKeyPrefixWith": "#!/"},
            "app/x",
            404,
            (301, "/_aws/s3-website/site/%23%21/x".replace("%21", "!")),
        ),
        ({"KeyPrefixEquals": "a/"}, {"ReplaceKeyWith": "z"}, "a/x", 404, None),
    ],
)
def test_rules(condition: Any, redirect: Any, key: str, error: int | None, expected: Any) -> None:
    rule = {"Redirect": redirect} | ({} if condition is None else {"Condition": condition})
    assert lead(rule, key, error) == expected


def test_the_first_rule_wins() -> None:
    rules = [
        {"Condition": {"KeyPrefixEquals": "a/b"}, "Redirect": {"ReplaceKeyWith": "1"}},
        {"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"ReplaceKeyWith": "2"}},
    ]
    assert [getattr(rule_for(rules, key, BY_HOST), "location", "") for key in ("a/bc", "a/c", "b")] == ["/1", "/2", ""]


def test_redirects_of_objects_and_of_everything() -> None:
    assert of_object("/x?y=1#z", BY_PATH).location == "/_aws/s3-website/site/x?y=1#z"
    assert of_object("/x", BY_HOST).location == "/x"
    assert of_object("https://h.example/a\r\nb", BY_HOST).location == "https://h.example/a%0D%0Ab"
    assert everything({"HostName": "h.example"}, "a b", BY_PATH).location == "http://h.example/a%20b"


@given(st.text(min_size=1, max_size=40).filter(lambda key: key.isprintable() or "\n" in key))
@example("/evil.example")
def test_any_key_leads_back_to_itself_on_this_host(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    for home in (BY_PATH, BY_HOST):
        location = home.lead(key)
        assert location.isascii()
        assert location.isprintable()
        assert " " not in location
        parts = urlsplit(location)
        assert parts.netloc in ("", home.host)
        assert unquote(parts.path) == f"{home.path}/{key}"
        assert not parts.query
        assert not parts.fragment


INDEX = {"IndexDocument": {"Suffix": "index.html"}}
RULE = {"Redirect": {"ReplaceKeyWith": "x"}}


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({}, "InvalidArgument"),
        ({"ErrorDocument": {"Key": "e"}}, "InvalidArgument"),
        ({"IndexDocument": {"Suffix": "a/b"}}, "InvalidArgument"),
        ({**INDEX, "ErrorDocument": {"Key": ""}}, "InvalidArgument"),
        ({**INDEX, "RedirectAllRequestsTo": {"HostName": "h"}}, "InvalidRequest"),
        ({"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "ftp"}}, "InvalidRequest"),
        ({"RedirectAllRequestsTo": {"HostName": "h/\r\nx"}}, "InvalidArgument"),
        ({"RedirectAllRequestsTo": {"Protocol": "http"}}, "MalformedXML"),
        ({**INDEX, "RoutingRules": [{"Redirect": {}}]}, "MalformedXML"),
        ({**INDEX, "RoutingRules": [{**RULE, "Condition": {}}]}, "MalformedXML"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "200"}}]}, "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "300"}}]}, "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{**RULE, "Condition": {"HttpErrorCodeReturnedEquals": "200"}}]}, "InvalidRequest"),
        (
            {**INDEX, "RoutingRules": [{"Redirect": {"ReplaceKeyWith": "x", "ReplaceKeyPrefixWith": "y"}}]},
            "InvalidRequest",
        ),
        ({**INDEX, "RoutingRules": [RULE] * 51}, "InvalidRequest"),
    ],
)
def test_configurations_that_are_none(configuration: dict[str, Any], code: str) -> None:
    with pytest.raises(Fault) as told:
        checked(configuration)
    assert told.value.code == code


def test_configurations_that_are_kept() -> None:
    whole = {**INDEX, "ErrorDocument": {"Key": "e.html"}, "RoutingRules": [RULE] * 50}
    assert checked(whole) == whole
    everywhere = {"RedirectAllRequestsTo": {"HostName": "h.example:8080", "Protocol": "https"}}
    assert checked(everywhere) == everywhere


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("/x", True), ("http://h/", True), ("https://h", True), ("ftp://h", False), ("x", False), ("http://", False)],
)
def test_redirect_locations(text: str, is_one: bool) -> None:
    assert is_redirect_location(text) is is_one

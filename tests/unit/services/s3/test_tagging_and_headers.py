"""Tags, metadata, content headers, classes and ACLs, as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.s3 import InvalidArgument, InvalidStorageClass, InvalidTag, MetadataTooLarge
from alight.services.s3 import headers, tagging
from alight.store.shapes import ObjectInfo


def test_tags_of_a_header() -> None:
    assert tagging.from_header("a=1&b=x%20y&c=") == {"a": "1", "b": "x y", "c": ""}
    assert tagging.from_header(None) == {}


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("a=1&a=2", InvalidArgument),
        ("=1", InvalidTag),
        ("a=%ff", InvalidArgument),
        ("&".join(f"k{n}=v" for n in range(11)), InvalidTag),
        ("&".join(f"k{n}=v" for n in range(200)), InvalidArgument),
        ("aws:x=1", InvalidTag),
        ("k" * 129 + "=v", InvalidTag),
        ("k=" + "v" * 257, InvalidTag),
        ("k=<", InvalidTag),
    ],
)
def test_bad_tags(header: str, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        tagging.from_header(header)


def test_a_tag_set_and_back() -> None:
    tag_set = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    assert tagging.to_set(tagging.from_set(tag_set, 10)) == tag_set
    with pytest.raises(InvalidTag):
        tagging.from_set([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], 10)


def test_metadata_boundary() -> None:
    assert headers.metadata({"Metadata": {"Name": "v" * 2044}}) == {"name": "v" * 2044}
    with pytest.raises(MetadataTooLarge) as refused:
        headers.metadata({"Metadata": {"name": "v" * 2045}})
    assert refused.value.members == {"Size": 2049, "MaxSizeAllowed": 2048}


def test_metadata_that_is_not_ascii_goes_encoded() -> None:
    assert headers.metadata_shown({"a": "plain", "b": "ü"}) == {"a": "plain", "b": "=?UTF-8?B?w7w=?="}


def test_headers_are_kept_and_shown() -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {"CacheControl": "no-cache", "ContentEncoding": "aws-chunked,gzip", "Expires": expires, "Key": "k"}
    kept, stored = headers.kept(given), headers.stored(given)
    assert kept == {"CacheControl": "no-cache", "ContentEncoding": "gzip"}
    assert stored == {"Expires": expires.timestamp()}
    shown = headers.shown(ObjectInfo(headers=kept, storage=stored))
    assert shown == {**kept, "Expires": expires, "ContentType": "binary/octet-stream", "Metadata": {}}
    assert "ContentEncoding" not in headers.kept({"ContentEncoding": "aws-chunked"})
    assert headers.content_type({}) == "binary/octet-stream"


def test_overrides() -> None:
    asked = {"ResponseContentType": "text/plain", "ResponseContentDisposition": 'attachment; filename="a.txt"'}
    assert headers.overrides(asked) == {
        "ContentType": "text/plain",
        "ContentDisposition": 'attachment; filename="a.txt"',
    }
    with pytest.raises(InvalidArgument):
        headers.overrides({"ResponseContentType": "text/plain\r\nset-cookie: a=b"})


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"StorageClass": "GLACIER"}, NotImplemented_),
        ({"StorageClass": "CHEAP"}, InvalidStorageClass),
        ({"ServerSideEncryption": "aws:kms"}, NotImplemented_),
        ({"ServerSideEncryption": "rot13"}, InvalidArgument),
    ],
)
def test_refused_storage(given: dict[str, Any], fault: type[Fault]) -> None:
    with pytest.raises(fault):
        headers.check_storage(given)


def test_neutral_storage() -> None:
    headers.check_storage({"StorageClass": "STANDARD", "ServerSideEncryption": "AES256"})
    headers.check_storage({})


@pytest.mark.parametrize(("acl", "fault"), [("public-read-write", NotImplemented_), ("mine", InvalidArgument)])
def test_acl(acl: str, fault: type[Fault]) -> None:
    headers.check_acl({"ACL": "private"})
    headers.check_acl({"ACL": "public-read"})
    headers.check_acl({})
    with pytest.raises(fault):
        headers.check_acl({"ACL": acl})

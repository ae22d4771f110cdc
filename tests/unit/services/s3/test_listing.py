"""Listings against a plain model: sort the keys, roll them up, cut them into pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alight.errors.s3 import InvalidArgument
from tests.unit.services.s3.conftest import Service

KEYS = ["a/1", "a/2", "a/b/3", "a", "a b", "b/", "b/4", "c", "ü/5", "\U0001f426", "/x", "//y"]


async def fill(s3: Service, keys: list[str]) -> None:
    for key in keys:
        await s3.put(key)


def model(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """Names of keys and common prefixes in order, each once."""
    names = set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            names.add(key if at < 0 else key[: at + len(delimiter)])
    return sorted(names, key=str.encode)


async def walk(s3: Service, version: int, size: int, **given: Any) -> list[str]:
    """All names over all pages."""
    names: list[str] = []
    more: dict[str, Any] = {}
    while True:
        operation = "ListObjectsV2" if version == 2 else "ListObjects"
        reply = await s3(operation, Bucket="photos", MaxKeys=size, **given, **more)
        page = [row["Key"] for row in reply["Contents"]] + [row["Prefix"] for row in reply["CommonPrefixes"]]
        assert len(page) <= size
        names += sorted(page, key=str.encode)
        if not reply["IsTruncated"]:
            return names
        if version == 2:
            assert reply["KeyCount"] == len(page)
            more = {"ContinuationToken": reply["NextContinuationToken"]}
        else:
            more = {"Marker": reply.get("NextMarker", page[-1])}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("b/", "/"), ("/", "/"), ("z", "/"), ("", "b/")],
)
async def test_pages(s3: Service, version: int, size: int, prefix: str, delimiter: str) -> None:
    await fill(s3, KEYS)
    given = {"Prefix": prefix, "Delimiter": delimiter}
    assert await walk(s3, version, size, **given) == model(KEYS, prefix, delimiter)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.sets(st.text("ab/é", min_size=1, max_size=5), max_size=12),
    prefix=st.text("ab/", max_size=2),
    delimiter=st.sampled_from(["", "/", "a", "/a"]),
    size=st.integers(1, 4),
)
async def test_any_listing(s3: Service, keys: set[str], prefix: str, delimiter: str, size: int) -> None:
    await fill(s3, sorted(keys))
    assert await walk(s3, 2, size, Prefix=prefix, Delimiter=delimiter) == model(sorted(keys), prefix, delimiter)
    for key in keys:
        await s3("DeleteObject", Bucket="photos", Key=key)


async def test_encoding_type(s3: Service) -> None:
    await fill(s3, ["a b+c/ü", "a b+c/%"])
    reply = await s3("ListObjectsV2", Bucket="photos", EncodingType="url", Prefix="a b", StartAfter="a b")
    assert [row["Key"] for row in reply["Contents"]] == ["a+b%2Bc/%25", "a+b%2Bc/%C3%BC"]
    assert [unquote_plus(row["Key"]) for row in reply["Contents"]] == ["a b+c/%", "a b+c/ü"]
    assert (reply["Prefix"], reply["StartAfter"], reply["EncodingType"]) == ("a+b", "a+b", "url")
    rolled = await s3("ListObjects", Bucket="photos", EncodingType="url", Delimiter="/")
    assert rolled["CommonPrefixes"] == [{"Prefix": "a+b%2Bc/"}]
    with pytest.raises(InvalidArgument):
        await s3("ListObjects", Bucket="photos", EncodingType="rot13")


async def test_what_a_listing_says_of_an_object(s3: Service) -> None:
    s3.clock.advance(0.75)
    said = await s3.put("k")
    (row,) = (await s3("ListObjectsV2", Bucket="photos", FetchOwner=True))["Contents"]
    assert (row["ETag"], row["Size"], row["StorageClass"]) == (said["ETag"], 4, "STANDARD")
    assert (row["ChecksumAlgorithm"], row["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    assert row["LastModified"] == (await s3("HeadObject", Bucket="photos", Key="k"))["LastModified"]
    assert row["LastModified"].microsecond == 0
    assert row["Owner"]["ID"]
    assert "Owner" not in (await s3("ListObjectsV2", Bucket="photos"))["Contents"][0]


async def test_bounds(s3: Service) -> None:
    await fill(s3, ["a", "b"])
    nothing = await s3("ListObjectsV2", Bucket="photos", MaxKeys=0)
    assert (nothing["Contents"], nothing["IsTruncated"], nothing["KeyCount"]) == ([], False, 0)
    assert (await s3("ListObjectsV2", Bucket="photos", MaxKeys=5000))["MaxKeys"] == 1000
    refused: list[dict[str, Any]] = [{"MaxKeys": -1}, {"MaxKeys": 2**31}]
    for bad in [*refused, {"ContinuationToken": "junk"}, {"ContinuationToken": ""}]:
        with pytest.raises(InvalidArgument):
            await s3("ListObjectsV2", Bucket="photos", **bad)


async def test_start_after_and_marker(s3: Service) -> None:
    await fill(s3, ["a", "b", "c"])
    after = await s3("ListObjectsV2", Bucket="photos", StartAfter="a")
    assert [row["Key"] for row in after["Contents"]] == ["b", "c"]
    marked = await s3("ListObjects", Bucket="photos", Marker="b")
    assert [row["Key"] for row in marked["Contents"]] == ["c"]

"""Names of buckets and keys: the boundaries of what is legal."""

from __future__ import annotations

import pytest

from alight.errors.s3 import InvalidArgument, InvalidBucketName, KeyTooLongError
from alight.services.s3.naming import check_bucket_name, check_key


@pytest.mark.parametrize("name", ["abc", "a-b", "a.b.c", "0ab", "a" * 63, "my-bucket.2024", "1.2.3.4.5"])
def test_good_buckets(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "192.168.5.4", "a b", "a/b",
        "äbc", "xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", "abc\n", "_alight", "abc--x-s3",
    ],
)  # fmt: skip
def test_bad_buckets(name: str) -> None:
    with pytest.raises(InvalidBucketName):
        check_bucket_name(name)


@pytest.mark.parametrize(
    "key",
    ["a", "..", "a/../b", "/abs", "a//b", "a/", "k" * 1024, "é" * 512, "a b+c%20", "\x01\n", "🐦", "\u202e", "s" * 300],
)
def test_good_keys(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 513, "k" * 10_000])
def test_long_keys(key: str) -> None:
    with pytest.raises(KeyTooLongError) as refused:
        check_key(key)
    assert refused.value.members == {"Size": len(key.encode()), "MaxSizeAllowed": 1024}


@pytest.mark.parametrize("key", ["a\x00b", "\ud800"])
def test_illegal_text(key: str) -> None:
    with pytest.raises(InvalidArgument):
        check_key(key)

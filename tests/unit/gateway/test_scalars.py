"""Values as text: what is none is refused as a `ValueError`, however far away it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alight.gateway.scalars import read_timestamp


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Fri, 16 Mar 1984 16:19:26 GMT", "rfc822"),
        ("1984-03-16T16:19:26Z", "rfc822"),
        ("1984-03-16T17:19:26+01:00", "iso8601"),
        (" Fri, 16 Mar 1984 16:19:26 +0000 ", "iso8601"),
        ("448301966", "unixTimestamp"),
    ],
)
def test_a_moment(text: str, form: str) -> None:
    assert read_timestamp(text, form) == datetime(1984, 3, 16, 16, 19, 26, tzinfo=UTC)


@pytest.mark.parametrize("form", ["rfc822", "iso8601", "unixTimestamp"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "Fri, 99999999999999999999999999 Mar 1984 16:19:26 GMT",
        "Fri, 16 Mar 99999999999999999999999999 16:19:26 GMT",
        "Fri, 16 Mar 1984 16:19:26 +99999999999999999999",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1e300",
        "nan",
    ],
)
def test_no_moment(text: str, form: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one, of whatever kind, is the point
        read_timestamp(text, form)

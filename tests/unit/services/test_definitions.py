"""What a function's record says of its packages."""

from __future__ import annotations

import pytest

from alight.errors.lambda_ import InvalidParameterValueException
from alight.services.lambda_.definitions import check_size, warned

MIB = 1024 * 1024


def test_code_and_layers_together_have_a_limit() -> None:
    fits = {"Code": {"Unpacked": 100 * MIB}, "Opt": {"Unpacked": 150 * MIB}}
    assert check_size(fits) is fits
    assert check_size({"Code": {}}) == {"Code": {}}, "a record of before says nothing"
    with pytest.raises(InvalidParameterValueException, match=r"maximum allowed size of 262144000 bytes\."):
        check_size({"Code": {"Unpacked": 101 * MIB}, "Opt": {"Unpacked": 150 * MIB}})


def test_a_warning_goes_with_what_it_was_about() -> None:
    body = warned({"Configuration": {"State": "Active"}, "Code": {}}, ["one.", "two."])
    assert body["Configuration"] == {"State": "Active", "StateReason": "one. two."}
    assert warned(body, [])["Configuration"] == {"State": "Active"}

"""The list of parts names each that is locked, once, with its sums."""

from __future__ import annotations

import re
from typing import Any

from tests.house.parts import LOCK, document


def test_every_part_that_is_locked_is_named() -> None:
    text = LOCK.read_text()
    found: list[dict[str, Any]] = document(text)["components"]
    assert sorted((one["name"], one["version"]) for one in found) == sorted(
        re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    )
    assert len({one["bom-ref"] for one in found}) == len(found)
    assert sum(len(one["hashes"]) for one in found) == text.count("--hash=")
    assert all(one["hashes"] for one in found)
    boto3 = next(one for one in found if one["name"] == "boto3")
    assert "Apache" in str(boto3["licenses"])
    assert boto3["purl"] == f"pkg:pypi/boto3@{boto3['version']}"


def test_a_part_for_some_machines_says_which() -> None:
    text = (
        "a-b==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:"
        + "0" * 64
        + "\nc==2 \\\n    --hash=sha256:"
        + "1" * 64
    )
    first, second = document(text)["components"]
    assert first["properties"] == [{"name": "alight:where", "value": "sys_platform == 'linux'"}]
    assert "properties" not in second

"""Models as they are kept: nothing for people in them, and nothing else missing."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader

from alight.gateway.model_files import Models
from alight.gateway.models import load_service
from alight.gateway.route import SERVICES


def without_words(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: without_words(value) for name, value in found.items() if name != "documentation"}
    return [without_words(value) for value in found] if isinstance(found, list) else found


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_is_botocores_without_its_documentation(service: str) -> None:
    whole = Loader().load_service_model(service, "service-2")
    assert Models([service]).load_service_model(service, "service-2") == without_words(whole)


def test_a_member_that_is_called_documentation_stays() -> None:
    """No service of ours has one yet; its shape would be lost with the words."""
    for service in SERVICES:
        for shape in Loader().load_service_model(service, "service-2")["shapes"].values():
            assert "documentation" not in shape.get("members", {})


def test_what_one_member_gets_for_the_old_wire_no_other_has() -> None:
    """`String` is one reference for all: SQS's old names must not be written into it."""
    shapes = load_service("sqs").model._shape_resolver._shape_map
    named = [
        (name, member)
        for name, shape in shapes.items()
        for member, reference in shape.get("members", {}).items()
        if "locationName" in reference and reference["shape"] == "String"
    ]
    assert not named
    assert shapes["StringList"]["member"]["locationName"] == "StringListValue"

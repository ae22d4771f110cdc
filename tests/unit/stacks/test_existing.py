"""Whether something is there already is asked for every type that a template can give a name."""

from __future__ import annotations

from alight.stacks.existing import _QUESTIONS
from alight.stacks.resources import PROVIDERS

#: A role's inline policy is put over the one of that name, as on AWS; a layer gets another version.
SHARED = {"AWS::IAM::Policy", "AWS::Lambda::LayerVersion"}


def test_every_type_with_a_name_has_its_question() -> None:
    named = {type_name for type_name, provider in PROVIDERS.items() if provider.naming.property}
    assert named - SHARED == set(_QUESTIONS)

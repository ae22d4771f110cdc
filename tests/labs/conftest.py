"""What the labs share: a phone, and the ways in which a runtime ends between two steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import cycle

import pytest

from tests.labs.machine import End
from tests.support import Instance
from tests.walk.gateways import Phones, sms_gateway

#: Each lab is done once, with both ways by turns; where many rounds are asked for, with each way alone, too.
WAYS = ["by-turns", *(("stopped", "killed") if "ALIGHT_TEST_ROUNDS" in os.environ else ())]


@pytest.fixture
def phones() -> Iterator[Phones]:
    with sms_gateway() as gateway:
        yield gateway


@pytest.fixture(params=WAYS)
def end(request: pytest.FixtureRequest) -> End:
    """How the runtime ends."""
    match request.param:
        case "stopped":
            return Instance.stop
        case "killed":
            return Instance.kill
    ends: Iterator[End] = cycle((Instance.stop, Instance.kill))
    return lambda instance: next(ends)(instance)

"""What the labs share: a phone, and the ways in which a runtime ends between two steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.labs.machine import End
from tests.support import Instance
from tests.walk.gateways import Phones, sms_gateway


@pytest.fixture
def phones() -> Iterator[Phones]:
    with sms_gateway() as gateway:
        yield gateway


@pytest.fixture(params=[Instance.stop, Instance.kill], ids=["stopped", "killed"])
def end(request: pytest.FixtureRequest) -> End:
    """How the runtime ends."""
    chosen: End = request.param
    return chosen

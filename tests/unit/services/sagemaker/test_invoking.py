"""A function's call for which there is no place is told to its runner, whole answers and streams alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from alight.calls import Attempt
from alight.errors.sagemaker import ServiceUnavailable
from alight.services.sagemaker.invoking import Invoking


class Full:
    """Endpoints without a place."""

    async def invoke(self, *given: Any, **more: Any) -> None:
        raise ServiceUnavailable("no place")

    stream = invoke


@pytest.mark.parametrize("operation", ["invoke_endpoint", "invoke_with_response_stream"])
@pytest.mark.parametrize("is_functions", [True, False])
async def test_who_is_turned_away_is_told(operation: str, is_functions: bool) -> None:
    record = SimpleNamespace(name="full", body={})
    ledger, deployments = (
        SimpleNamespace(find=lambda *given: record),
        SimpleNamespace(restoring=lambda name: False, package=print),
    )
    told: list[Attempt] = []
    nobody: Any = None
    invoking = Invoking(cast(Any, ledger), cast(Any, Full()), cast(Any, deployments), nobody, nobody, told.append)
    attempt = Attempt("r", "arn:aws:lambda:us-east-1:000000000000:function:asks") if is_functions else None
    call: Any = SimpleNamespace(request_id="r", attempt=attempt)

    with pytest.raises(ServiceUnavailable):
        await getattr(invoking, operation)(call, {"EndpointName": "full"})

    assert told == ([attempt] if attempt else [])

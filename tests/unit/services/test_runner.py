"""What is kept of a function's definition: until it changes, and no longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from alight.clock import ManualClock
from alight.functions.invocation import FunctionSpec
from alight.functions.pool import FunctionPool
from alight.names import function_arn
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.metrics import FunctionMetrics
from alight.services.lambda_.runner import Runner
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry


class Pool:
    """Remembers of which configurations it was asked."""

    def __init__(self) -> None:
        self.asked: list[FunctionSpec] = []

    def free_slots(self, spec: FunctionSpec) -> int:
        self.asked.append(spec)
        return 4


def body(handler: str) -> dict[str, Any]:
    configuration = {
        "FunctionName": "classify",
        "FunctionArn": function_arn("classify"),
        "Version": "$LATEST",
        "Handler": handler,
        "Runtime": "python3.11",
        "Timeout": 3,
        "MemorySize": 128,
        "Role": "arn:aws:iam::000000000000:role/worker",
        "LoggingConfig": {"LogGroup": "/aws/lambda/classify"},
        "EphemeralStorage": {"Size": 512},
    }
    return {"Configuration": configuration, "Code": {"Dir": "code", "Venv": ""}, "Reserved": None}


async def test_the_next_event_gets_the_changed_definition(tmp_path: Path) -> None:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock, ballast=0)
    try:
        catalogue, pool = Catalogue(database, Records(database)), Pool()
        nobody = cast(Telemetry, None), cast(FunctionMetrics, None)
        runner = Runner(catalogue, cast(FunctionPool, pool), *nobody, clock, (1.0,), tmp_path)
        arn = function_arn("classify")
        assert runner.target(arn) is None
        await catalogue.create(body("app.first"))
        for _ in range(2):
            assert runner.target(arn) is not None
        await catalogue.change("classify", lambda old: body("app.second"))
        assert runner.target(arn) is not None
        assert [spec.handler for spec in pool.asked] == ["app.first", "app.first", "app.second"]
        assert pool.asked[0] is pool.asked[1], "read once"
        await catalogue.delete("classify")
        assert runner.target(arn) is None
    finally:
        await database.close()

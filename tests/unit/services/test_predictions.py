"""The names of the classes of what serves now."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alight.clock import ManualClock
from alight.services.predictions import LABELS, Predictions
from alight.services.sagemaker.ledger import ENDPOINT
from alight.store import made
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "data", ManualClock())
    yield database
    await database.close()


def serving(**packages: str) -> dict[str, Any]:
    return {"Variants": [{"name": name, "sha256": sha256} for name, sha256 in packages.items()]}


async def test_labels_are_those_of_the_package_that_serves(database: Database, tmp_path: Path) -> None:
    for package, names in (("aa", "duck\ntoucan\n"), ("bb", "magpie\n")):
        (tmp_path / package).mkdir()
        (tmp_path / package / LABELS).write_text(names)
    records, clock = Records(database), ManualClock()
    telemetry = await Telemetry.open(tmp_path / "data", clock)
    predictions = Predictions(telemetry, records, tmp_path, clock)
    try:
        assert predictions.labels("birds", "all") == ()
        await records.save(ENDPOINT, "birds", serving(all="aa", other="", bare="cc"))
        found = [predictions.labels("birds", variant) for variant in ("all", "all", "other", "bare", "none")]
        assert found == [("duck", "toucan"), ("duck", "toucan"), (), (), ()]
        await records.save(ENDPOINT, "birds", serving(all="bb"))
        assert predictions.labels("birds", "all") == ("magpie",)
        await records.remove(ENDPOINT, "birds")
        assert predictions.labels("birds", "all") == ()
    finally:
        await telemetry.close()


async def test_of_endpoints_that_are_gone_little_is_held(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "REMEMBERED", 8)
    records, clock, names = Records(database), ManualClock(), [f"birds-{number}" for number in range(200)]
    telemetry = await Telemetry.open(tmp_path / "data", clock)
    predictions = Predictions(telemetry, records, tmp_path, clock)
    try:
        large = serving(all="") | {"Environment": "x" * 20_000}
        await records.save_all((ENDPOINT, name, large) for name in names)
        tracemalloc.start()
        assert [predictions.labels(name, "all") for name in names] == [()] * len(names)
        await records.save_all((ENDPOINT, name, None) for name in names)
        held, _ = tracemalloc.get_traced_memory()
        assert held < 1_000_000
    finally:
        tracemalloc.stop()
        await telemetry.close()

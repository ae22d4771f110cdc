"""Events as AWS's services send them go through Invoke unchanged, and are read there as they are read here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import start_alight, sweep
from tests.walk.foreign import NAMES, Foreign, build_app, class_of, read_here, sample, without_addresses


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    folder = tmp_path_factory.mktemp("foreign")
    instance = start_alight(folder / "data", build_app(folder), timeout=90)
    yield Foreign(instance, instance.json("outputs"))
    sweep(instance.process)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_comes_back_as_it_was_sent_and_reads_the_same(foreign: Foreign, name: str) -> None:
    event = sample(name)
    said = foreign.invoke("PowertoolsSamples", event, {"class": class_of(name)})
    assert said["event"] == event
    assert without_addresses(said["read"]) == read_here(name, event)

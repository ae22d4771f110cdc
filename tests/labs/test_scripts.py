"""The labs to the letter: the aws command line alone, from an empty account to an empty account, and a runtime that is
stopped, or killed, and started anew before every step, which changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.labs.driving import drive
from tests.labs.machine import End, Machine
from tests.loaded import Loaded
from tests.support import Instance, Start
from tests.walk.gateways import Phones

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.tool("aws2"),
    pytest.mark.tool("bash"),
    pytest.mark.tool("zip"),
]

PHONE = "+16035551212"


def test_the_bird_lab(start: Start, tmp_path: Path, phones: Phones, end: End, loaded: Loaded) -> None:
    machine = Machine(start, tmp_path / "data", ALIGHT_SMS_URL=phones.url("json"))
    steps = drive("birds.sh", machine.instance, tmp_path, lambda step: machine.again(end), loaded("aws2"))
    assert len(steps) > 10
    phones.wait(lambda text: "Vulture(" in text.fields["message"])
    texts = [text.fields["message"] for text in phones.wait(lambda text: text.phone == PHONE)]
    greeting, flamingo, vulture = dict.fromkeys(texts)
    assert greeting == "birds> Machine learning is fun!"
    assert flamingo.startswith("birds> Bird [birds/11_28/14_05/1795000000_0.jpg] is a: Flamingo(0.")
    assert vulture.startswith("birds> Bird [birds/vulture.jpg] is, I am sure, a: Vulture(0.")
    repeated = [item for item in machine.instance.json("outbox")["deliveries"] if item["uncertain"]]
    assert len(texts) <= 3 + len(repeated), "a text came twice that may not"
    assert end is not Instance.stop or len(texts) == 3


@pytest.mark.tool("curl")
def test_the_sentiment_lab(start: Start, tmp_path: Path, end: End, loaded: Loaded) -> None:
    pytest.importorskip("xgboost")
    machine = Machine(start, tmp_path / "data")
    steps = drive("sentiment.sh", machine.instance, tmp_path, lambda step: machine.again(end), loaded("aws2"))
    assert len(steps) > 8

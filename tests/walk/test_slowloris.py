"""A thousand connections that dribble, and good clients beside them. Two runtimes stand on one machine, one of them in
peace: a good client asks them in turn, so that whatever else the machine does hits both."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import Instance, Start, start_alight, sweep

DRIBBLERS = 1_000
#: Good requests to each: ALIGHT_CHAOS_DRIBBLED=5000 is the long form, in which dribblers are cut off and come again.
GOOD = int(os.environ.get("ALIGHT_CHAOS_DRIBBLED", "150"))
#: Rounds of as many, until one is calm: the machine makes some late now and then, who holds them up makes them always.
ROUNDS = 5
#: A shell whose soft limit of descriptors is far below what a thousand connections need.
FEW_FILES = ["/bin/sh", "-c", 'ulimit -Sn 512; exec "$@"', "sh"]


def link(instance: Instance, method: str, key: str) -> str:
    """A presigned link's path and query: nothing has to be signed while time is taken."""
    s3 = instance.client("s3", signature_version="s3v4")
    url = urlsplit(s3.generate_presigned_url(method, {"Bucket": "good", "Key": key}))
    return f"{url.path}?{url.query}"


class Good:
    """PUT and GET of an object in turn over one kept connection."""

    def __init__(self, instance: Instance) -> None:
        instance.client("s3").create_bucket(Bucket="good")
        self._links = link(instance, "put_object", "k"), link(instance, "get_object", "k")
        self._connection = http.client.HTTPConnection("127.0.0.1", urlsplit(instance.url).port or 0, timeout=30)

    def ask(self, number: int) -> float:
        """Seconds that it took; any failure is raised."""
        began = time.perf_counter()
        method, body = (("PUT", b"x" * 1000), ("GET", None))[number % 2]
        self._connection.request(method, self._links[number % 2], body)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


@dataclass(frozen=True)
class Round:
    """Seconds of each pair of requests: beside the dribblers, and in peace."""

    pairs: list[tuple[float, float]]

    def column(self, place: int) -> list[float]:
        return [pair[place] for pair in self.pairs]

    @property
    def ratio(self) -> float:
        return p99(self.column(0)) / p99(self.column(1))

    @property
    def noise(self) -> float:
        """How many times later the last ones in peace were in one half of the round than in the other."""
        alone = self.column(1)
        halves = p99(alone[: len(alone) // 2]), p99(alone[len(alone) // 2 :])
        return max(halves) / min(halves)


@pytest.mark.timeout(300)
def test_good_clients_do_not_wait_for_a_thousand_dribblers(start: Start, tmp_path: Path) -> None:
    quiet = start(data=tmp_path / "quiet")
    attacked = start_alight(tmp_path / "attacked", before=FEW_FILES)
    program = Path(__file__).with_name("dribbler.py")
    beside, alone = Good(attacked), Good(quiet)
    port = urlsplit(attacked.url).port
    dribbling = subprocess.Popen(
        [sys.executable, str(program), str(port), link(attacked, "put_object", "slow"), str(DRIBBLERS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert dribbling.stdout is not None
        assert dribbling.stdout.readline() == "ready\n"
        rounds: list[Round] = []
        held = 0
        while len(rounds) < ROUNDS and (not rounds or rounds[-1].ratio > 2):
            rounds.append(Round([(beside.ask(number), alone.ask(number)) for number in range(GOOD)]))
            held = max(held, len(os.listdir(f"/proc/{runtime(attacked)}/fd")))
        said, _ = dribbling.communicate("", timeout=60)
    finally:
        dribbling.kill()
        dribbling.wait()
        beside.close()
        alone.close()
        sweep(attacked.process)
    ends = json.loads(said)
    slow, fast = (statistics.median(time for one in rounds for time in one.column(place)) for place in (0, 1))
    tails = [
        f"{p99(one.column(0)) * 1000:.1f} and {p99(one.column(1)) * 1000:.1f} ms ({one.ratio:.2f})" for one in rounds
    ]
    noise = max(one.noise for one in rounds)
    print(
        f"\n{DRIBBLERS} dribblers, {held} descriptors held, {ends}; {GOOD * len(rounds)} good requests beside them, "
        f"0 failed: median {slow * 1000:.1f} ms beside, {fast * 1000:.1f} ms alone ({slow / fast:.2f}); "
        f"p99 {', '.join(tails)}, noise {noise:.2f}"
    )
    assert held > DRIBBLERS * 0.8
    assert ends.pop("failed") == 0
    assert set(ends) <= {"408", "reset"}
    assert slow < 2 * fast
    # On a calm machine, 2; else as much more as the runtime in peace differs from itself.
    assert min(one.ratio for one in rounds) <= 2 * noise


def runtime(instance: Instance) -> int:
    return int(json.loads((instance.data / "instance.json").read_text())["pid"])

"""Whether a burst of pictures slows down who asks an API at the same time.

    .venv/bin/python -m bench.mixed [--pictures 1000] [--clients 4] [--rounds 3]

The birds with an HTTP API beside them, before a function that does nothing. Asked in turn: the API while nothing else
happens, and while the pictures are put and handled; beside it a bare ASGI application in both, which shows what the
machine itself takes from anybody then. Wanted: the API's p99 in a burst within 3 times that of idle. Needs `wrk`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import ours, wrk
from bench.case import Counted
from bench.cases import api
from bench.grown import app
from bench.pipeline.case import pictures
from bench.pipeline.load import burst
from bench.pipeline.ours import subscribed
from bench.pipeline.receiver import Receiver
from bench.servers import free_port, heard, server


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each load; the burst has to last longer")
    given = parser.parse_args(words)
    found: dict[tuple[str, str], list[Counted]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port, receiver = Path(name), free_port(), Receiver()
        stack.callback(receiver.close)
        running = ours.running(folder, app(folder / "app"), ALIGHT_WEBHOOK_ALLOW="127.0.0.1")
        instance = stack.enter_context(running)
        bare = f"http://127.0.0.1:{port}/"
        stack.enter_context(server([sys.executable, api.LIMIT, str(port)], folder / "bare.log", heard(bare)))
        show, urls = subscribed(instance, receiver), {"Alight": instance.outputs["ApiUrl"], "bare": bare}
        burst(show, receiver, pictures(), 20, "warm")

        def ask(when: str, number: int) -> None:
            for who, url in urls.items():
                counted = wrk.load(url, api.asking(url), given.clients, given.seconds)
                print(f"{when}: {who}: {counted}", file=sys.stderr)
                if number:  # the first round warms up
                    found.setdefault((who, when), []).append(counted)

        for number in range(given.rounds + 1):
            ask("idle", number)
            put = (show, receiver, pictures(), given.pictures if number else 50, f"m{number}")
            pouring = threading.Thread(target=burst, args=put)
            pouring.start()
            ask("burst", number)
            if number and not pouring.is_alive():
                raise SystemExit("The burst was over before the API had been asked: more --pictures are needed.")
            pouring.join()
    print("| who is asked | a second: idle, burst | p50 ms: idle, burst | p99 ms: idle, burst | p99, ratio |")
    print("|---|---|---|---|---|")
    for who in urls:
        cells, middle = [], {}
        for key in ("per_second", "p50", "p99"):
            two = [statistics.median(getattr(one, key) for one in found[who, when]) for when in ("idle", "burst")]
            cells.append(f"{two[0]:.1f}, {two[1]:.1f}")
            middle[key] = two[1] / two[0]
        print(f"| {who} | {' | '.join(cells)} | {middle['p99']:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])

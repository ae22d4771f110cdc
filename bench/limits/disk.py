"""The bare limit of PUT: a disk that is only written and flushed.

    python bench/limits/disk.py FOLDER SECONDS

prints a line of JSON: 1 KB appended and flushed, one after the other; and files of 150 KB by 16 threads, each flushed,
named, and its folder flushed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path


def appended(folder: Path, seconds: float) -> float:
    """A second."""
    path, done = folder / "appended", 0
    with path.open("wb", buffering=0) as file:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            file.write(os.urandom(1024))
            os.fdatasync(file.fileno())
            done += 1
    return done / seconds


def filed(folder: Path, seconds: float, threads: int) -> float:
    """A second."""
    body, counts, end = os.urandom(150 * 1024), [0] * threads, time.perf_counter() + seconds

    def work(number: int) -> None:
        mine = folder / f"filed-{number}"
        mine.mkdir()
        directory = os.open(mine, os.O_RDONLY)
        while time.perf_counter() < end:
            name = mine / f"{counts[number]}"
            with name.open("wb", buffering=0) as file:
                file.write(body)
                os.fdatasync(file.fileno())
            name.rename(name.with_suffix(".done"))
            os.fsync(directory)
            counts[number] += 1
        os.close(directory)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds


if __name__ == "__main__":
    place, duration = Path(sys.argv[1]), float(sys.argv[2])
    print(json.dumps({"appended": appended(place, duration), "filed": filed(place, duration, 16)}))

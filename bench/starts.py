"""What starts cost: a function that imports boto3 and numpy, the runtime on a warm data folder, its memory when idle.

`python bench/starts.py [--times 5]`, Linux only. Milliseconds on the clock and of the processor: best and median.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import boto3

ALIGHT = Path(sys.executable).parent / "alight"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Cold:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: cold, Runtime: python3.11, Handler: app.handler, CodeUri: code, MemorySize: 512}
"""
HANDLER = """
import time
import boto3
import numpy

def handler(event, context):
    return time.process_time() * 1000
"""


def make(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "code" / "app.py").write_text(HANDLER)
    found = importlib.util.find_spec("numpy")
    assert found is not None
    assert found.origin is not None
    numpy = Path(found.origin).parent
    for part in (numpy, numpy.with_name("numpy.libs")):
        if part.exists():
            shutil.copytree(part, folder / "code" / part.name, ignore=shutil.ignore_patterns("tests"))


class Started:
    """`alight up` on the folder."""

    def __init__(self, folder: Path) -> None:
        began = time.perf_counter()
        data = folder / "data"
        self._process = subprocess.Popen(
            [ALIGHT, "up", folder, "--port", "0", "--data", data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        )  # fmt: skip
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith("Alight ready at"):
            raise RuntimeError("Alight did not start")
        self.ms = (time.perf_counter() - began) * 1000
        self.pid = json.loads((data / "instance.json").read_text())["pid"]
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        self.processor_ms = (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
        asked: list[str | Path] = [ALIGHT, "env", "--json", "--data", data]
        self.env = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)

    def pss_mb(self) -> float:
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        [kilobytes] = re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)
        return int(kilobytes) / 1024

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


def cold_starts(started: Started, times: int) -> tuple[list[float], list[float]]:
    """`Init Duration` and the worker's own processor time; a changed description means a new worker."""
    env = started.env
    client = boto3.client(
        "lambda", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_DEFAULT_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    clock, processor = [], []
    for number in range(times):
        client.update_function_configuration(FunctionName="cold", Environment={"Variables": {"N": str(number)}})
        answer = client.invoke(FunctionName="cold", LogType="Tail")
        processor.append(json.loads(answer["Payload"].read()))
        clock.append(float(re.findall(rb"Init Duration: ([\d.]+) ms", base64.b64decode(answer["LogResult"]))[0]))
    return clock, processor


def show(what: str, values: Sequence[float], unit: str) -> None:
    print(f"| {what} | {min(values):.0f} {unit} | {statistics.median(values):.0f} {unit} |")


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args(words).times
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        Started(folder).stop()
        runs = []
        for _ in range(times):
            runs.append(Started(folder))
            runs[-1].stop()
        last = Started(folder)
        time.sleep(2)  # until the models are read, and all is quiet
        memory = last.pss_mb()
        clock, processor = cold_starts(last, times + 1)
        last.stop()
    print("| what | best | median |\n|---|---|---|")
    show("warm start, until ready", [run.ms for run in runs], "ms")
    show("the runtime's processor time in it", [run.processor_ms for run in runs], "ms")
    show("cold start of boto3 and numpy, init duration", clock[1:], "ms")
    show("the worker's processor time", processor[1:], "ms")
    show("idle runtime, PSS", [memory], "MB")


if __name__ == "__main__":
    main(sys.argv[1:])

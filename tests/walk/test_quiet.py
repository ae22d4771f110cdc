"""Nobody is told but who was named: no process of the birds example reaches beyond this machine (R19)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alight.quiet import NO_TELEMETRY

CONNECT = re.compile(r"connect\(\d+, \{sa_family=(AF_\w+)(.*?)\}")
HERE = re.compile(r'sin_addr=inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


@pytest.mark.tool("strace")
def test_nothing_is_asked_beyond_this_machine(tmp_path: Path) -> None:
    seen = tmp_path / "calls"
    # Some libraries are quiet where they believe to be tested, or as whoever runs the tests has asked them to be.
    loud = {name: value for name, value in os.environ.items() if name not in ("CI", *NO_TELEMETRY)}
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,openat", "-o", str(seen)]

    ran = subprocess.run(
        [*strace, str(Path(sys.executable).with_name("alight")), "demo", "birds", "--once"],
        env={**loud, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    calls = seen.read_text()
    connected = [found.groups() for found in CONNECT.finditer(calls)]
    # The client, the workers' boto3, the deliveries: all of them on the loopback.
    assert sum(bool(HERE.search(place)) for _, place in connected) > 20
    assert [found for found in connected if found[0] != "AF_UNIX" and not HERE.search(found[1])] == []
    # What is reported later is collected first.
    assert re.findall(r'"[^"]*/\.onnxruntime/[^"]*"', calls) == []

"""strace on a runtime that runs already: what it does to calls lasts for as long as it is attached."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import Instance


@contextmanager
def attached(instance: Instance, options: Iterable[str], files: Iterable[Path], log: Path) -> Iterator[None]:
    """Calls on `files` (none: on any) are met as strace's `options` say, and noted in `log`."""
    paths = [word for path in files for word in ("-P", str(path))]
    command = ["strace", "-y", *options, *paths, "-o", str(log), "-p", str(instance.process.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        assert "attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=30)

"""Memory that loading took, and the system gets back."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

#: Pieces that the C library keeps for itself as long as the last of them lives.
PROGRAM = """
import os
from alight.endpoints import heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

pieces = [bytes(100_000) for _ in range(500)]
del pieces[:-1]
before = resident()
heap.give_back()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library")
def test_what_is_free_goes_back() -> None:
    freed = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert int(freed.stdout) > 20_000_000

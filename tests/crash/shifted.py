"""A wall clock that a test sets under the real runtime: a shim between it and its C library adds what a file says."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile long long *shift;
static int (*real)(clockid_t, struct timespec *);
__attribute__((constructor)) static void begin(void) {
    real = dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("CLOCK_SHIFT"), O_RDONLY);
    if (file >= 0) shift = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
}
int clock_gettime(clockid_t id, struct timespec *t) {
    if (!real) begin();
    int code = real(id, t);
    if (id == CLOCK_REALTIME && shift) t->tv_sec += *shift;
    return code;
}
"""


class ShiftedClock:
    """`settings` go into the environment of the runtime; its monotonic clock stays as it is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        source, shim = folder / "shim.c", folder / "shim.so"
        source.write_text(SHIM)
        compiler = shutil.which("cc")
        assert compiler
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True)
        self.settings = {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": str(self._file)}

    def set(self, seconds: int) -> None:
        """By how much the wall clock is wrong from now on."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))

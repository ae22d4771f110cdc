"""A kill at the N-th call of one kind: a shim between the runtime and its C library counts calls, and ends it there.

The calls of all threads of the runtime are counted, and nobody's whom it starts. Nothing is slower for it, as it is
under `strace`, which stops a process twice at each of its calls. A process that forks says in the book whose calls
count.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

#: All that changes files or their names, or sends. Those of 64 bits, which the C library has beside some, count as one.
CALLS = (
    "write", "pwrite", "writev", "fsync", "fdatasync", "rename", "renameat", "unlink", "unlinkat", "ftruncate",
    "send", "sendto", "sendmsg", "fallocate",
)  # fmt: skip

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
/* Which call (or any), at which number, before it or after it, and whose; then how many there were. */
static struct { long call, number, after, owner, all, counts[16]; } *book;
__attribute__((constructor)) static void begin(void) {
    char line[4096] = "";
    int file = open("/proc/self/cmdline", O_RDONLY);
    ssize_t size = read(file, line, sizeof line);
    close(file);
    if (size < 1 || !memmem(line, size, WHOSE, sizeof WHOSE - 1)) return;
    file = open(getenv("KILL_AT"), O_RDWR);
    if (file < 0) return;
    void *found = mmap(0, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) { book = found; book->owner = getpid(); }
}
static int hit(int call) {
    if (!book || getpid() != book->owner) return 0;
    long number = __sync_add_and_fetch(&book->counts[call], 1), all = __sync_add_and_fetch(&book->all, 1);
    return book->call == call ? book->number == number : book->call == ANY && book->number == all;
}
static void end(void) { kill(getpid(), SIGKILL); for (;;) pause(); }
#define CALL(INDEX, RESULT, NAME, GIVEN, PASSED) \\
RESULT NAME GIVEN { \\
    static RESULT (*real) GIVEN; \\
    if (!real) real = dlsym(RTLD_NEXT, #NAME); \\
    int here = hit(INDEX); \\
    if (here && !book->after) end(); \\
    RESULT result = !FLUSHES && book && (INDEX == 3 || INDEX == 4) ? 0 : real PASSED; \\
    if (here) end(); \\
    return result; \\
}
CALL(0, ssize_t, write, (int f, const void *b, size_t n), (f, b, n))
CALL(1, ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
CALL(1, ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o))
CALL(2, ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n))
CALL(3, int, fsync, (int f), (f))
CALL(4, int, fdatasync, (int f), (f))
CALL(5, int, rename, (const char *a, const char *b), (a, b))
CALL(6, int, renameat, (int f, const char *a, int g, const char *b), (f, a, g, b))
CALL(7, int, unlink, (const char *a), (a))
CALL(8, int, unlinkat, (int f, const char *a, int o), (f, a, o))
CALL(9, int, ftruncate, (int f, off_t n), (f, n))
CALL(9, int, ftruncate64, (int f, off64_t n), (f, n))
CALL(10, ssize_t, send, (int f, const void *b, size_t n, int o), (f, b, n, o))
CALL(11, ssize_t, sendto, (int f, const void *b, size_t n, int o, const struct sockaddr *a, socklen_t l),
     (f, b, n, o, a, l))
CALL(12, ssize_t, sendmsg, (int f, const struct msghdr *m, int o), (f, m, o))
CALL(13, int, fallocate, (int f, int m, off_t o, off_t n), (f, m, o, n))
CALL(13, int, fallocate64, (int f, int m, off64_t o, off64_t n), (f, m, o, n))
"""

#: In place of a call: whichever comes.
ANY = "any"
_ANY = 99

_HEAD = struct.Struct("qqq")
_OWNER = struct.Struct("q")
_COUNTS = struct.Struct("q16q")


class KillAt:
    """`settings` go into the environment of a process whose command line holds `whose`."""

    def __init__(self, folder: Path, whose: str = "alight.app", *, flushes: bool = True) -> None:
        """What a kill leaves does not hang on flushes: where nobody waits for the disk, they are counted alone."""
        self.file = folder / "kill"
        self.set("", 0, after=False)
        source, shim = folder / "kill.c", folder / "kill.so"
        source.write_text(f'#define WHOSE "{whose}"\n#define ANY {_ANY}\n#define FLUSHES {int(flushes)}\n{SHIM}')
        compiler = shutil.which("cc")
        assert compiler
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
        self.settings = {"LD_PRELOAD": str(shim), "KILL_AT": str(self.file)}

    def set(self, call: str, number: int, *, after: bool) -> None:
        """Where the next life ends; an empty `call`: nowhere."""
        index = _ANY if call == ANY else CALLS.index(call) if call else -1
        # Never shorter in between: it is in the memory of whoever has it open. Whose calls count stays as it is.
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            owner = file.read()[_HEAD.size :][: _OWNER.size] or bytes(_OWNER.size)
            file.seek(0)
            file.write(_HEAD.pack(index, number, after) + owner + bytes(_COUNTS.size))

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind the present life has made, those without any left out."""
        _, *found = self._counted()
        return {call: count for call, count in zip(CALLS, found, strict=False) if count}

    @property
    def all(self) -> int:
        """How many calls of whatever kind it has made."""
        return self._counted()[0]

    @property
    def reached(self) -> bool:
        """Whether somebody has come to the place, where it is at any call."""
        return bool(self.all >= _HEAD.unpack_from(self.file.read_bytes())[1])

    def _counted(self) -> tuple[int, ...]:
        return _COUNTS.unpack_from(self.file.read_bytes(), _HEAD.size + _OWNER.size)


def be_counted(file: Path) -> None:
    """From here on the calls of the process that asks, which another one has forked, are those that count."""
    with open(file, "r+b", buffering=0) as book:
        book.seek(_HEAD.size)
        book.write(_OWNER.pack(os.getpid()))

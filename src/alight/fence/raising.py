"""Put up the fence, in the process that will stand behind it: own view of the disk, no capabilities, Landlock, seccomp.

Standard library only, and old Python versions too: this runs under a function's interpreter, where the launcher calls
`put_up` with the part of its plan that `tiers` made. As a script it puts up the fence and becomes another program:

    python raising.py PLAN PROGRAM ARGUMENT...

with the plan as JSON; `python raising.py` alone prints what the kernel has to offer. It has to happen while there is
one thread: Landlock binds the thread that asks for it and those that it starts later.

What fails here raises `OSError`: nobody's code runs behind a fence with a hole in it.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost milliseconds of each start
    from collections.abc import Sequence
    from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_DUMPABLE, _PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 21, 22, 38
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_NOATIME = 1, 2, 4, 8, 32, 1024
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RELATIME = 4096, 16384, 1 << 18, 1 << 21

# Landlock: three system calls with the same numbers on every processor.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK, _TRUNCATE = 1 << 6, 1 << 11, 1 << 14
#: All that a kernel of that version of Landlock's interface (ABI) can deny about files.
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILES_NOW = (1 << 16) - 1
_ONLY_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_TCP = 3
#: Abstract sockets and signals, to whoever stands outside of this fence.
_SCOPES = 3

#: System calls that no handler needs and by which kernels were broken: their numbers on x86-64 and on ARM.
_REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "syslog": (103, 116), "acct": (163, 89), "quotactl": (179, 60),
}  # fmt: skip
#: Processor -> its mark in seccomp, its column above, the number of `clone`.
_PROCESSORS = {"x86_64": (0xC000003E, 0, 56), "aarch64": (0xC00000B7, 1, 220)}
_CLONE3, _X32 = 435, 0x40000000
_EPERM, _ENOSYS = 1, 38


def put_up(plan: dict[str, Any]) -> None:
    """`plan`: `tier` ("landlock" or "seccomp"), `read` and `write` paths, `cover` (folders that are to be empty but
    for those paths), `tmp` (what stands in the place of /tmp; "" leaves it), `network`."""
    if plan["cover"] or plan["tmp"]:
        _take_own_view(plan)
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _landlock(plan["read"], plan["write"], plan["network"])
    if plan["tier"] == "seccomp":
        _filter_calls()


def offer() -> dict[str, Any]:
    """What the kernel has: Landlock's ABI (0: none), seccomp, and whether mounts of one's own can be had."""
    found = {"abi": landlock_abi(), "seccomp": False, "view": False}
    mode = _LIBC.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)
    found["seccomp"] = mode in (0, 2) and platform.machine() in _PROCESSORS
    try:
        own = tempfile.gettempdir()
        _take_own_view({"cover": [], "tmp": own, "read": [], "write": [own]})
        found["view"] = True
    except OSError:
        pass
    return found


def landlock_abi() -> int:
    """The version of Landlock's interface; 0 where there is none."""
    return max(int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)), 0)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the fence: {what}: {os.strerror(number)}")
    return result


def _prctl(option: int, *values: Any) -> None:
    given = [*values, 0, 0, 0, 0][:4]
    _check(_LIBC.prctl(option, *(ctypes.c_ulong(value) for value in given)), "prctl")


# Own mounts: what other workers and the runtime have on disk is not even there.


def _take_own_view(plan: dict[str, Any]) -> None:
    uid, gid = os.getuid(), os.getgid()
    if _LIBC.unshare(_CLONE_NEWNS) < 0:
        # Not root: a namespace of users in which we may mount, and remain who we are.
        _prctl(_PR_SET_DUMPABLE, 1)  # or /proc/self would not be ours to write to
        _check(_LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNS), "own mounts")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
        _prctl(_PR_SET_DUMPABLE, 0)
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    covers = [os.path.realpath(path) for path in plan["cover"]] + (["/tmp"] if plan["tmp"] else [])
    held = []
    for path in dict.fromkeys(plan["write"] + plan["read"]):
        for place in {os.path.abspath(path), os.path.realpath(path)}:
            if _below(place, covers) and os.path.exists(place):
                held.append((place, os.open(place, os.O_PATH | os.O_CLOEXEC), path not in plan["write"]))
    tmp = os.open(plan["tmp"], os.O_PATH | os.O_CLOEXEC) if plan["tmp"] else -1
    for path in covers:
        if path != "/tmp" and not _below(path, [other for other in covers if other != path]):
            _mount("none", path, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    if plan["tmp"]:
        _mount(_held(tmp), "/tmp", None, _MS_BIND | _MS_REC)
    for place, descriptor, read_only in sorted(held):
        _put_back(place, descriptor, read_only)
    for _, descriptor, _ in [*held, ("", tmp, False)]:
        if descriptor >= 0:
            os.close(descriptor)


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _put_back(place: str, descriptor: int, read_only: bool) -> None:
    """What may be seen stands where it stood before, over an empty file or folder. Below the own /tmp it would be the
    inmate's to write, as that is, were it not mounted for reading."""
    if os.path.isdir(_held(descriptor)):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.exists(place):
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
    _mount(_held(descriptor), place, None, _MS_BIND | _MS_REC)
    if read_only:
        flags = os.statvfs(place).f_flag
        kept = flags & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOATIME) | (_MS_RELATIME if flags & 4096 else 0)
        _mount(None, place, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _held(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _check(_LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), "mount " + target)


def _drop_capabilities() -> None:
    """Root's are gone, and those that came with the namespace; no_new_privs keeps them away through every exec."""
    header = struct.pack("=Ii", 0x20080522, 0)
    _check(_LIBC.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0)), "capset")


def _landlock(read: Sequence[str], write: Sequence[str], network: bool) -> None:
    abi = _check(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1), "Landlock")
    every = _FILES.get(abi, _FILES_NOW)
    tcp, scopes = 0 if network or abi < 4 else _TCP, _SCOPES if abi >= 6 else 0
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    attributes = struct.pack("=QQQ", every, tcp, scopes)[:size]
    rules = _check(_LIBC.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0), "Landlock's rules")
    for paths, access in (
        (read, _EXECUTE | _READ_FILE | _READ_DIR),
        (write, every & ~(_MAKE_CHAR | _MAKE_BLOCK)),
    ):
        for path in paths:
            _allow(rules, path, access & every)
    _check(_LIBC.syscall(_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not every system has every place
        return
    if not os.path.isdir(_held(descriptor)):
        access &= _ONLY_FILES
    rule = struct.pack("=Qi", access, descriptor)
    _check(_LIBC.syscall(_ADD_RULE, rules, _RULE_PATH, rule, 0), "Landlock's rule for " + path)
    os.close(descriptor)


def _filter_calls() -> None:
    """seccomp: a small program of the kernel's that sees each system call first."""
    mark, column, clone = _PROCESSORS[platform.machine()]
    load, equal, above, bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown, kill = 0x7FFF0000, 0x50000 | _EPERM, 0x50000 | _ENOSYS, 0x80000000
    steps = [(load, 0, 0, 4), (equal, 1, 0, mark), (give, 0, 0, kill), (load, 0, 0, 0)]
    if mark == _PROCESSORS["x86_64"][0]:
        steps += [(above, 0, 1, _X32), (give, 0, 0, refuse)]
    steps += [
        (equal, 0, 1, _CLONE3),
        (give, 0, 0, unknown),
    ]  # its flags cannot be seen; the C library goes on with clone
    for numbers in _REFUSED.values():
        steps += [(equal, 0, 1, numbers[column]), (give, 0, 0, refuse)]
    namespaces = 0x7E020000
    steps += [
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (bits, 0, 1, namespaces),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    held = ctypes.create_string_buffer(program)
    _check(_LIBC.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.c_ulong(ctypes.addressof(held)), 0, 0), "seccomp")


def main() -> None:
    if len(sys.argv) < 3:
        sys.stdout.write(json.dumps(offer()))
        return
    put_up(json.loads(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()

"""Handlers that mean harm, behind the fence of a real runtime: each try by name, and what came of it.

A neighbour stands beside them with a secret in its code, its environment, its memory and its scratch folder, and with
an abstract socket. Every try ends with an error of the system, or with nothing of that.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alight.fence.tiers import offered
from tests.support import Instance, Start, eventually, invoke, start_alight, sweep
from tests.walk.making import make_function, make_role, processes_of

CANARY = "the-neighbours-secret"
NEIGHBOUR = f"""
import os, socket
HELD = "{CANARY}"
LISTENER = socket.socket(socket.AF_UNIX)
LISTENER.bind(chr(0) + "alight-neighbour-" + str(os.getpid()))
LISTENER.listen()
with open("/tmp/mine", "w") as file:
    file.write(HELD)
def handler(event, context):
    api, _, token = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    return {{"pid": os.getpid(), "parent": os.getppid(), "scratch": os.environ["TMPDIR"], "api": api,
            "code": os.environ["LAMBDA_TASK_ROOT"]}}
"""
HOSTILE = """
import ctypes, glob, http.client, os, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *given):
    if libc.syscall(number, *given) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20).decode("latin-1")
def ask(place, method, path, token=""):
    connection = http.client.HTTPConnection(place, timeout=10)
    connection.request(method, path, None, {"Authorization": "Bearer " + token, "Cookie": "alight_console=" + token})
    status = connection.getresponse().status
    connection.close()
    return status
def handler(event, context):
    space = dict(globals(), **event["facts"])
    try:
        exec(event["attack"], space)
    except OSError as error:
        return {"refused": type(error).__name__}
    return {"got": str(space.get("got"))}
"""
#: What is tried, each by name. All end with an error of the system.
REFUSED = {
    "journal": "got = read(data + '/alight.db')",
    "credentials": "got = read(data + '/credentials.json')",
    "instance.json": "got = read(data + '/instance.json')",
    "neighbour's code": "got = read(code + '/app.py')",
    "neighbour's scratch": "got = read(scratch + '/mine')",
    "neighbour's environment": "got = read(f'/proc/{pid}/environ')",
    "neighbour's memory": "got = read(f'/proc/{pid}/maps')",
    "neighbour's files by /proc": "got = os.listdir(f'/proc/{pid}/root/')",
    "neighbour's descriptors": "got = os.listdir(f'/proc/{pid}/fd')",
    "runtime's environment": "got = read(f'/proc/{parent}/environ')",
    "runtime's folder by /proc": "got = os.listdir(f'/proc/{parent}/cwd/')",
    "runtime's command line": "got = read(f'/proc/{parent}/cmdline')",
    "list of processes": "got = os.listdir('/proc')",
    "a symbolic link to the journal": "os.path.lexists('/tmp/l') or os.symlink(data + '/alight.db', '/tmp/l')\n"
    "got = read('/tmp/l')",
    "a symbolic link to /etc/shadow": "os.path.lexists('/tmp/m') or os.symlink('/etc/shadow', '/tmp/m')\n"
    "got = read('/tmp/m')",
    "a hard link to /etc/passwd": "os.link('/etc/passwd', '/tmp/h')",
    "/etc/shadow": "got = read('/etc/shadow')",
    "the home folder": "got = os.listdir(os.path.expanduser('~root'))",
    "own code": "open(os.environ['LAMBDA_TASK_ROOT'] + '/app.py', 'a')",
    "a file beside own code": "open(os.environ['LAMBDA_TASK_ROOT'] + '/sitecustomize.py', 'w')",
    "own code taken away": "os.unlink(os.environ['LAMBDA_TASK_ROOT'] + '/app.py')",
    "own code renamed": "os.rename(os.environ['LAMBDA_TASK_ROOT'] + '/app.py', '/tmp/app.py')",
    "a module for Alight's Python": "open(sys.base_prefix + '/lib/x.py', 'w')",
    "a file in /var/tmp": "open('/var/tmp/alight-hostile', 'w')",
    "a file in /dev/shm": "open('/dev/shm/alight-hostile', 'w')",
    "signal to the runtime": "os.kill(parent, 0)",
    "signal to a neighbour": "os.kill(pid, signal.SIGKILL)",
    "ptrace": "checked(libc.ptrace(16, pid, 0, 0))",
    "neighbour's memory, written": "open(f'/proc/{pid}/mem', 'r+b')",
    "neighbour's abstract socket": "socket.socket(socket.AF_UNIX).connect(chr(0) + f'alight-neighbour-{pid}')",
    "mount": "checked(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "umount": "checked(libc.umount2(b'/tmp', 2))",
    "mknod": "os.mknod('/tmp/disk', 0o600 | 0o060000, os.makedev(8, 0))",
    "chroot": "os.chroot('/tmp')",
    "another user": "os.setuid(12345) if os.getuid() == 0 else open('/etc/shadow')",
    "chmod of what is root's": "os.chown('/usr/bin', 12345, 12345)",
    "unshare": "checked(libc.unshare(0x10000000))",
    "setns": "checked(libc.setns(os.open('/proc/self/ns/mnt', os.O_RDONLY), 0))",
    "bpf": "call(321, 5, 0, 0)",
    "io_uring": "call(425, 1, ctypes.create_string_buffer(200))",
    "keyctl": "call(250, 0, -3, 0)",
    "perf": "call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "a child reads the journal": "if subprocess.run(['cat', data + '/alight.db'], stderr=-3).returncode: raise OSError",
    "a file beyond the limit": "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nos.truncate(os.open('/tmp/big', "
    "os.O_CREAT | os.O_RDWR), 1 << 40)",
    "thousands of descriptors": "held = []\ntry:\n while len(held) < 5000: held.append(os.open('/dev/null', 0))\n"
    "finally:\n for one in held: os.close(one)",
}  # fmt: skip
#: What ends without an error, and must have got nothing.
EMPTY = {
    "inherited descriptors": "links = [os.path.realpath(f'/proc/self/fd/{n}') for n in range(64)]\n"
    "got = [link for link in links if data in link and '/functions/' not in link]",
    "capabilities": "got = [line for line in read('/proc/self/status').splitlines() "
    "if line[:6] in ('CapPrm', 'CapEff') and int(line.split()[1], 16)]",
    "/tmp": "got = [name for name in os.listdir('/tmp') if name == 'mine']",
    "neighbour's runtime API":
    "got = [ask(api, 'GET' if 'next' in path else 'POST', f'/{token}2018-06-01/runtime/' + path)\n"
    " for token in ('', 'x' * 32 + '/', os.environ['AWS_LAMBDA_RUNTIME_API'].partition('/')[2] + '/')\n"
    " for path in ('invocation/next', 'init/error', 'invocation/x/response')]\n"
    "got = [status for status in got if status != 403]",
    "the console and the admin door": "got = [(path, held[:9]) for held in (os.environ['AWS_SESSION_TOKEN'], "
    "os.environ['AWS_SECRET_ACCESS_KEY'], '') for path in ('api/status', 'api/logs', 'metrics', 'console/', "
    "'console/functions', 'api/console') if ask(os.environ['AWS_ENDPOINT_URL'].partition('//')[2], "
    "'POST' if path == 'api/console' else 'GET', '/_alight/' + path, held) < 300]",
    "the runtime's secrets in the environment": "got = [name for name, value in os.environ.items() "
    "if 'gateways-secret' in value or name.startswith('ALIGHT_S')]",
    "names in the data folder": "got = [n for n in ('alight.db', 'credentials.json') if os.path.exists(f'{data}/{n}')]",
}  # fmt: skip


#: Of those, what the kernel allows to anybody in a place of its own, where seccomp has not been asked for: it leads to
#: nobody else's files, and no capability comes of it.
ONLY_BY_SECCOMP = {"unshare", "io_uring", "keyctl"}


@dataclass(frozen=True)
class Scene:
    instance: Instance
    facts: dict[str, Any]

    def try_(self, attack: str, function: str = "hostile") -> dict[str, Any]:
        payload = json.dumps({"facts": self.facts, "attack": attack}).encode()
        answer = invoke(self.instance.client("lambda"), FunctionName=function, Payload=payload)
        return dict(json.loads(answer["Payload"]))

    def is_well(self) -> None:
        """The neighbour lives and works, and the runtime has not grown beyond its bound."""
        os.kill(self.facts["pid"], 0)
        again = json.loads(invoke(self.instance.client("lambda"), FunctionName="neighbour")["Payload"])
        assert again["pid"] == self.facts["pid"]
        status = Path(f"/proc/{self.facts['parent']}/status").read_text()
        assert int(status.partition("VmHWM:")[2].split()[0]) < 512 * 1024


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with staged(tmp_path_factory.mktemp("hostile") / "data", "seccomp") as scene:
        yield scene


@contextmanager
def staged(data: Path, tier: str) -> Iterator[Scene]:
    if not offered()["seccomp"] or not offered()["abi"]:
        pytest.skip("this system has no Landlock")
    instance = start_alight(data, ALIGHT_WORKER_SANDBOX=tier, ALIGHT_SMTP_URL="smtp://me:gateways-secret@127.0.0.1:1")
    try:
        make_role(instance)
        make_function(instance, "neighbour", NEIGHBOUR, SECRET=CANARY)
        make_function(instance, "hostile", HOSTILE, timeout=10)
        make_function(
            instance, "preloaded", HOSTILE, LD_PRELOAD="/tmp/evil.so", LD_LIBRARY_PATH="/tmp", BASH_ENV="/tmp/e"
        )
        make_function(instance, "greedy", HOSTILE, timeout=2)
        facts = json.loads(invoke(instance.client("lambda"), FunctionName="neighbour")["Payload"])
        yield Scene(instance, {**facts, "data": str(data)})
    finally:
        sweep(instance.process)


def test_hostile_handlers_get_nothing(scene: Scene) -> None:
    expect_nothing_got(scene, {**REFUSED, **EMPTY})


def test_nor_in_the_tier_that_is_there_unasked(tmp_path: Path) -> None:
    """The default: Landlock without seccomp."""
    with staged(tmp_path / "data", "auto") as scene:
        assert scene.instance.json("status")["sandbox"]["tier"] == "landlock"
        attacks = {**REFUSED, **EMPTY}
        expect_nothing_got(scene, {name: attacks[name] for name in attacks if name not in ONLY_BY_SECCOMP})


def expect_nothing_got(scene: Scene, attacks: dict[str, str]) -> None:
    for name in ("alight.db", "credentials.json", "instance.json"):
        assert (Path(scene.facts["data"]) / name).exists()
    wrong = {}
    for name, attack in attacks.items():
        said = scene.try_(attack)
        fine = "refused" in said if name in REFUSED else said.get("got") == "[]"
        if not fine or CANARY in json.dumps(said):
            wrong[name] = said
    print(f"{len(attacks)} hostile handlers, {len(wrong)} got something")
    assert wrong == {}
    os.kill(scene.facts["pid"], 0)  # the neighbour has come to no harm


#: What takes more than its share: how its call ends. Root is not held by limits on processes; the time limit holds all.
GREEDY = {
    "memory without end": ("held = []\nwhile True: held.append(bytearray(os.urandom(1 << 16) * 64))", "errorType"),
    "output without end": ("for _ in range(300): os.write(1, b'x' * 100_000)\ngot = 'done'", "got"),
    "processes of processes": ("for _ in range(6): os.fork()\nimport time; time.sleep(1000)", "errorMessage"),
    "daemons that let go": (
        "for _ in range(20):\n if os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n"
        "  os.execvp('sleep', ['sleep', '1000'])\nimport time; time.sleep(1000)",
        "errorMessage",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GREEDY)
def test_what_takes_too_much_is_stopped_with_all_that_it_began(scene: Scene, name: str) -> None:
    attack, end = GREEDY[name]
    data = Path(scene.facts["data"])
    before = sum(path.stat().st_size for path in data.glob("telemetry.db*"))
    said = scene.try_(attack, "greedy")
    assert end in said, said
    # A worker of its own may be waiting for the next call; all else that the call began is gone
    eventually(lambda: not [one for one in processes_of(data).values() if "sleep 1000" in one], what="the end")
    eventually(lambda: len([one for one in processes_of(data).values() if "launcher.py" in one]) <= 4, what="the end")
    assert sum(path.stat().st_size for path in data.glob("telemetry.db*")) - before < 8 << 20
    scene.is_well()


def test_libraries_before_others_open_no_door(scene: Scene) -> None:
    """LD_PRELOAD and the like reach what a handler starts, which stands behind the same fence."""
    reading = "if subprocess.run(['cat', data + '/{}'], stderr=-3).returncode: raise OSError"
    for name in ("alight.db", "credentials.json", "instance.json"):
        assert scene.try_(reading.format(name), "preloaded") == {"refused": "OSError"}
    assert scene.try_("got = read(code + '/app.py')", "preloaded") == {"refused": "FileNotFoundError"}


def test_no_tier_is_shown_as_none(start: Start) -> None:
    """As where the kernel has no Landlock: everywhere the word is `none`, and what that means."""
    instance = start(ALIGHT_WORKER_SANDBOX="none")
    assert instance.json("status")["sandbox"]["tier"] == "none"
    assert "files are open to functions" in instance.json("status")["sandbox"]["detail"]
    token = json.loads((instance.data / "credentials.json").read_text())["admin_token"]
    asked = urllib.request.Request(f"{instance.url}/_alight/metrics", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert 'alight_sandbox{tier="none"} 1' in answer.read().decode()


def test_the_tier_is_shown_everywhere(scene: Scene) -> None:
    status = scene.instance.json("status")
    assert status["sandbox"]["tier"] == "seccomp"
    assert "Landlock ABI" in status["sandbox"]["detail"]

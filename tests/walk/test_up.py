"""`alight up` as a user or an init system sees it: one line when it serves, one owner of a folder, a clean end."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support import BIN, READY, Instance, Start, clean_environment, run_alight


def test_an_empty_account_serves_and_stops(running: Instance) -> None:
    with urllib.request.urlopen(f"{running.url}/_alight/health", timeout=10) as answer:
        assert json.load(answer)["status"] == "ok"
    assert running.client("s3").list_buckets()["Buckets"] == []
    assert json.loads((running.data / "instance.json").read_text())["pid"] == running.process.pid
    assert running.stop() == 0


def test_stdout_holds_one_line(tmp_path: Path) -> None:
    command = [str(BIN / "alight"), "up", "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert (first.startswith(READY), rest, process.returncode) == (True, "", 0)


def test_files_of_the_folder_where_it_starts_are_no_libraries_of_its(tmp_path: Path) -> None:
    for name in ("yaml", "queue", "botocore", "alight"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    command = [str(BIN / "alight"), "up", "--port", "0", "--data", "data"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=nowhere, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    assert first.startswith(READY)


def test_ctrl_c_stops_it_too(running: Instance) -> None:
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) == 0


def test_a_second_owner_is_refused_with_the_firsts_pid(running: Instance) -> None:
    second = running.alight("up", "--port", "0")
    assert second.returncode != 0
    assert str(running.process.pid) in second.stderr
    assert READY not in second.stdout


def test_the_admin_door_wants_its_token(running: Instance) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{running.url}/_alight/api/status", timeout=10)
    assert refused.value.code in (401, 403)
    refused.value.close()


def test_after_the_end_commands_say_so_and_env_still_works(running: Instance) -> None:
    before = running.variables
    running.stop()
    said = running.alight("status")
    assert said.returncode == 2
    assert "No Alight is running" in said.stderr
    after = json.loads(running.alight("env", "--json").stdout)
    assert after["AWS_SECRET_ACCESS_KEY"] == before["AWS_SECRET_ACCESS_KEY"]


def test_a_folder_keeps_its_keys(start: Start, tmp_path: Path) -> None:
    first = start(data=tmp_path / "data")
    first.stop()
    again = start(data=tmp_path / "data")
    assert again.variables["AWS_ACCESS_KEY_ID"] == first.variables["AWS_ACCESS_KEY_ID"]


def test_a_warm_start_and_an_end_take_little_work(tmp_path: Path) -> None:
    """Counted in processor time, which other tests beside this one do not stretch much."""
    command = [str(BIN / "alight"), "up", "--port", "0", "--data", str(tmp_path / "data")]
    costs = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(READY)
            process.terminate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(costs) < 2, f"{costs} seconds of processor time"


def test_nothing_is_left_after_the_end(start: Start, tmp_path: Path) -> None:
    """Workers and replicas go with the runtime."""
    examples = Path(__file__).parents[2] / "examples"
    running = start(examples / "hello")
    function = running.json("outputs")["FunctionName"]
    assert running.json("invoke", function, json.dumps({"name": "you"}))["payload"] == {"greeting": "Hello, you!"}
    children = _descendants(running.process.pid)
    assert children
    running.stop()
    assert [pid for pid in children if os.path.exists(f"/proc/{pid}/exe")] == []


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, above in pairs if above == parent]
    return found[1:]


def test_a_template_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = run_alight("up", str(tmp_path / "nowhere"), "--data", str(tmp_path / "data"))
    assert said.returncode != 0
    assert "no template" in said.stderr


@pytest.mark.parametrize(
    ("words", "command"),
    [(("ONCE=1",), "demo birds --once\n"), (("EXAMPLE=sentiment",), "demo sentiment \n"), ((), "demo birds \n")],
)
def test_make_demo_says_which_command_it_runs(words: tuple[str, ...], command: str) -> None:
    """`make -n`: what would be run, without running it."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo", *words],
        cwd=root, capture_output=True, text=True, env=clean_environment(), check=True,
    )  # fmt: skip
    assert f".venv/bin/alight {command}" in done.stdout


def test_a_stop_while_packages_are_installed_is_heard(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "code").mkdir(parents=True)
    (app / "code" / "app.py").write_text("def handler(event, context): return 1")
    (app / "template.yaml").write_text(
        """
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Slow:
            Type: AWS::Serverless::Function
            Properties: {CodeUri: code, Handler: app.handler, Runtime: python3.11}
        """
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that never answers
        index = f"--index-url http://127.0.0.1:{silent.getsockname()[1]}/simple"
        (app / "code" / "requirements.txt").write_text(f"{index}\nnobody-has-this-package==1\n")
        command = [str(BIN / "alight"), "up", str(app), "--port", "0", "--data", str(tmp_path / "data")]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
        ) as process:
            assert process.stderr is not None
            assert any("Installing" in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(15) == 0
            finally:
                process.kill()


def test_a_template_that_broke_later_does_not_keep_accepted_events_waiting(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    template = folder / "template.yaml"
    template.write_text("Resources: {Inbox: {Type: 'AWS::S3::Bucket', Properties: {BucketName: inbox-of-app}}}\n")
    first = start(template)
    assert first.stop() == 0
    template.write_text("Resources: {Inbox: {Type: 'AWS::S3::Bucket', Properties: {Nonsense: 1}}}\n")
    second = start(template)
    assert second.client("s3").list_buckets()["Buckets"][0]["Name"] == "inbox-of-app"
    told = second.stderr.read_text()
    assert "Nonsense" in told
    assert "goes on with what was there before" in told


def test_copies_of_packages_do_not_pile_up(start: Start) -> None:
    first = start()
    assert first.stop() == 0
    copy = first.data / "fetched" / "0123456789abcdef.zip"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(b"unpacked long ago")
    start()
    assert not copy.exists()

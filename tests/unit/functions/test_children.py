"""One suite for both loops inside the child: what handlers return, raise, print and see."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path

import pytest

from tests.unit.functions.bench import Bench, answer, error

GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "lambda_context.json"
RID = "8f5a2b1c-0000-4000-8000-000000000001"


async def test_a_result(bench: Bench) -> None:
    spec = bench.spec(
        """
        def handler(event, context):
            return {"saw": event, "text": "Kärpäslintu ✓"}
        """
    )
    outcome = await bench.call(spec, b'{"Records": [1, 2.5, null, "\\u00e4"]}')
    assert answer(outcome) == {"saw": {"Records": [1, 2.5, None, "ä"]}, "text": "Kärpäslintu ✓"}
    assert outcome.version == "$LATEST"
    assert outcome.init_ms is not None
    assert outcome.max_memory_mb > 0


async def test_no_result_is_null(bench: Bench) -> None:
    assert (await bench.call(bench.spec("def handler(event, context): pass"))).payload == b"null"


async def test_six_megabytes_out_and_in(bench: Bench) -> None:
    spec = bench.spec(
        """
        def handler(event, context):
            return event
        """
    )
    payload = json.dumps("x" * (6 * 1024 * 1024 - 2)).encode()
    outcome = await bench.call(spec, payload)
    assert outcome.kind == "ok"
    assert outcome.payload == payload


async def test_a_larger_result_is_an_error_and_the_next_call_works(bench: Bench) -> None:
    spec = bench.spec(
        """
        def handler(event, context):
            return "x" * event
        """
    )
    outcome = await bench.call(spec, b"7000000")
    assert error(outcome) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert answer(await bench.call(spec, b"3")) == "xxx"


async def test_an_exception(bench: Bench) -> None:
    spec = bench.spec(
        """
        class NoSuchBird(Exception):
            pass

        def handler(event, context):
            look(event)

        def look(event):
            raise NoSuchBird("dodo, since 1662")
        """
    )
    outcome = await bench.call(spec, request_id=RID)
    told = error(outcome)
    assert outcome.kind == "error"
    assert (told["errorType"], told["errorMessage"], told["requestId"]) == ("NoSuchBird", "dodo, since 1662", RID)
    assert [re.search(r"in (\w+)", frame).group(1) for frame in told["stackTrace"]] == ["handler", "look"]  # type: ignore[union-attr]
    assert "[ERROR] NoSuchBird: dodo, since 1662" in outcome.log_tail.decode()
    logged = [message for message in bench.messages(RID) if message.startswith("[ERROR]")]
    assert len(logged) == 1
    assert "\nTraceback (most recent call last):\n" in logged[0]


async def test_the_worker_survives_an_exception(bench: Bench) -> None:
    spec = bench.spec(
        """
        import os

        def handler(event, context):
            if event:
                raise ValueError(os.getpid())
            return os.getpid()
        """
    )
    first = error(await bench.call(spec, b"1"))
    assert first["errorMessage"] == str(answer(await bench.call(spec, b"0")))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("exit()", "Runtime exited without providing a reason"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_a_process_that_ends_is_an_error(bench: Bench, statement: str, reason: str) -> None:
    spec = bench.spec(
        f"""
        import ctypes, os, signal, sys

        def handler(event, context):
            if event:
                print("last words")
                {statement}
            return "here again"
        """
    )
    outcome = await bench.call(spec, b"1", request_id=RID)
    assert outcome.kind == "crash"
    assert error(outcome) == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {RID} Error: {reason}"}
    tail = outcome.log_tail.decode()
    assert f"last words\nRequestId: {RID} Error: {reason}\nRuntime.ExitError\nEND RequestId: {RID}\n" in tail
    assert tail.endswith("\tStatus: error\tError Type: Runtime.ExitError\t\n")
    assert answer(await bench.call(spec, b"0")) == "here again"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("float('nan')", "Out of range float values are not JSON compliant"),
        ("[1, float('inf')]", "Out of range float values are not JSON compliant"),
        ("{1, 2}", "is not JSON serializable"),
        ("object()", "is not JSON serializable"),
        ("b'\\xff\\x00'", "Unable to marshal response"),
        ("circle()", "Circular reference detected"),
    ],
)
async def test_a_result_that_is_not_json(bench: Bench, result: str, message: str) -> None:
    spec = bench.spec(
        f"""
        def circle():
            made = []
            made.append(made)
            return made

        def handler(event, context):
            return {result} if event else "well"
        """
    )
    outcome = await bench.call(spec, b"1", request_id=RID)
    told = error(outcome)
    assert (told["errorType"], told["requestId"]) == ("Runtime.MarshalError", RID)
    assert told["errorMessage"].startswith("Unable to marshal response: ")
    assert message in told["errorMessage"]
    assert answer(await bench.call(spec, b"0")) == "well"


async def test_bytes_that_are_json_are_the_result(bench: Bench) -> None:
    spec = bench.spec("""def handler(event, context): return b'{"ready": true}'""")
    assert answer(await bench.call(spec)) == {"ready": True}


async def test_decimals_and_words_like_nan_are_no_problem(bench: Bench) -> None:
    spec = bench.spec(
        """
        from decimal import Decimal

        def handler(event, context):
            return {"price": Decimal("12.5"), "count": Decimal(3), "name": "NaNuk to Infinity"}
        """
    )
    assert answer(await bench.call(spec)) == {"price": 12.5, "count": 3, "name": "NaNuk to Infinity"}


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("import torchlight", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app': No module"),
        ("x = 1", "gone.handler", "Runtime.ImportModuleError", "Unable to import module 'gone': No module named"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("x = 1", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler': "),
        ("x = 1", "sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
        ("1 / 0", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
async def test_code_that_does_not_load(bench: Bench, source: str, handler: str, error_type: str, message: str) -> None:
    outcome = await bench.call(bench.spec(source, handler=handler), request_id=RID)
    told = error(outcome)
    assert outcome.kind == "init"
    assert told["errorType"] == error_type
    assert told["errorMessage"].startswith(message)
    assert set(told) == {"errorMessage", "errorType", "requestId", "stackTrace"}
    tail = outcome.log_tail.decode()
    assert f"[ERROR] {error_type}: {message}" in tail
    assert re.search(
        rf"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: {error_type}", tail
    )
    assert tail.endswith(f"Status: error\tError Type: {error_type}\t\n")


async def test_a_process_that_ends_while_loading(bench: Bench) -> None:
    outcome = await bench.call(bench.spec("import os; os._exit(9)"), request_id=RID)
    assert outcome.kind == "init"
    assert error(outcome) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {RID} Error: Runtime exited with error: exit status 9",
    }


async def test_handlers_in_packages(bench: Bench) -> None:
    spec = bench.spec("", handler="birds/inner/app.main")
    inner = spec.code_dir / "birds" / "inner"
    inner.mkdir(parents=True)
    (inner / "app.py").write_text("def main(event, context): return __name__")
    assert answer(await bench.call(spec)) == "birds.inner.app"


async def test_the_context_is_complete(bench: Bench) -> None:
    spec = bench.spec(
        """
        def handler(event, context):
            left = context.get_remaining_time_in_millis()
            context.log("by the context\\n")
            custom = context.client_context
            names = [n for n in dir(context) if not n.startswith("_")]
            values = {n: getattr(context, n) for n in names if isinstance(getattr(context, n), (str, int))}
            return {
                "left": left, "names": names, "values": values,
                "custom": custom and [custom.custom, custom.env, custom.client.app_title],
                "identity": context.identity.cognito_identity_id,
            }
        """,
        timeout=7.0,
    )
    told = answer(
        await bench.call(
            spec,
            request_id=RID,
            client_context='{"custom": {"ä": 1},\n"env": {"os": "x"}, "client": {"app_title": "Field guide"}}',
        )
    )
    assert 5000 < told["left"] <= 7000
    assert told["custom"] == [{"ä": 1}, {"os": "x"}, "Field guide"]
    assert told["identity"] is None
    stream = told["values"].pop("log_stream_name")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert told["values"] == {
        "aws_request_id": RID,
        "function_name": "birds",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:birds",
        "log_group_name": "/aws/lambda/birds",
        "memory_limit_in_mb": "256",
    }
    assert {"client_context", "identity", "tenant_id", "get_remaining_time_in_millis", "log", "w3c"} <= set(
        told["names"]
    )
    assert "by the context" in bench.messages(RID)
    assert {line[1] for line in bench.lines} == {stream}


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden records on this machine")
async def test_the_context_has_the_fields_of_the_golden_records(bench: Bench) -> None:
    recorded = [r["payload"] for r in json.loads(GOLDEN.read_text()) if isinstance(r["payload"], dict)]
    wanted = {name for payload in recorded for name in payload} - {"remaining_time_in_millis", "deadline"}
    spec = bench.spec(
        """
        def handler(event, context):
            return [name for name in event if not hasattr(context, name)]
        """
    )
    assert "log_group_name" in wanted
    assert answer(await bench.call(spec, json.dumps(sorted(wanted)).encode())) == []


async def test_the_environment(bench: Bench) -> None:
    spec = bench.spec(
        """
        import os, tempfile, time

        def handler(event, context):
            with open(os.path.join(tempfile.gettempdir(), "x"), "w") as file:
                file.write("scratch")
            return {"env": dict(os.environ), "cwd": os.getcwd(), "tmp": tempfile.gettempdir(), "zone": time.tzname[0]}
        """,
        environment={"TOPIC": "näytä", "AWS_REGION": "mars-1", "_HANDLER": "x", "PATH": "/opt/mine"},
    )
    outcome = await bench.call(spec)
    told = answer(outcome)
    seen = told["env"]
    code = str(spec.code_dir)
    expected = {
        "TOPIC": "näytä",
        "PATH": "/opt/mine",
        "_HANDLER": "app.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "birds",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/birds",
        "AWS_LAMBDA_LOG_STREAM_NAME": outcome.log_stream,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_SESSION_TOKEN": "token-of-birds-role",
        "LAMBDA_TASK_ROOT": code,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["AWS_SECRET_ACCESS_KEY"].startswith("secret-of-")
    assert re.fullmatch(r"127\.0\.0\.1:\d+/[\w-]{32}", seen["AWS_LAMBDA_RUNTIME_API"])
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", seen["_X_AMZN_TRACE_ID"])
    assert (told["cwd"], told["zone"]) == (code, "UTC")
    assert told["tmp"] == seen["TMPDIR"]
    assert (Path(told["tmp"]) / "x").read_text() == "scratch"
    await bench.pool.retire("birds")
    assert not Path(told["tmp"]).exists()


async def test_nothing_of_the_runtimes_own_environment_leaks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "sings")
    monkeypatch.setenv("AWS_PROFILE", "production")
    spec = bench.spec("import os\ndef handler(event, context): return dict(os.environ)")
    assert not {"CANARY", "AWS_PROFILE", "VIRTUAL_ENV"} & set(answer(await bench.call(spec)))


async def test_standard_logging(bench: Bench) -> None:
    spec = bench.spec(
        """
        import logging
        logging.getLogger().setLevel(logging.INFO)

        def handler(event, context):
            logging.info("a cardinal")
            logging.debug("not this")
        """
    )
    await bench.call(spec, request_id=RID)
    logged = [message for message in bench.messages(RID) if "cardinal" in message]
    assert re.fullmatch(rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{RID}\ta cardinal", logged[0])
    assert "not this" not in "".join(bench.messages())


async def test_the_log_of_a_call(bench: Bench) -> None:
    spec = bench.spec(
        """
        import subprocess, sys
        print("while loading")

        def handler(event, context):
            print("out", event)
            print("err", event, file=sys.stderr)
            subprocess.run(["/bin/echo", "child", str(event)])
        """,
        memory_mb=192,
    )
    first = await bench.call(spec, b"1", request_id="r-1")
    second = await bench.call(spec, b"2", request_id="r-2")
    pattern = (
        r"INIT_START Runtime Version: python:[\d.]+\nwhile loading\nSTART RequestId: r-1 Version: \$LATEST\n"
        r"out 1\nerr 1\nchild 1\nEND RequestId: r-1\nREPORT RequestId: r-1\tDuration: [\d.]+ ms\t"
        r"Billed Duration: \d+ ms\tMemory Size: 192 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n"
    )
    assert re.fullmatch(pattern, first.log_tail.decode())
    assert re.match(r"START RequestId: r-2 Version: \$LATEST\nout 2\nerr 2\nchild 2\nEND", second.log_tail.decode())
    assert "Init Duration" not in second.log_tail.decode()
    assert (second.init_ms, second.log_stream) == (None, first.log_stream)
    assert bench.messages("r-2")[:4] == [
        "START RequestId: r-2 Version: $LATEST", "out 2", "err 2", "child 2",
    ]  # fmt: skip
    assert {line[0] for line in bench.lines} == {"/aws/lambda/birds"}


async def test_warm_reuse(bench: Bench) -> None:
    spec = bench.spec(
        """
        import os
        seen = []

        def handler(event, context):
            seen.append(event)
            return [os.getpid(), seen]
        """
    )
    calls = [answer(await bench.call(spec, str(number).encode())) for number in range(3)]
    assert [seen for _, seen in calls] == [[0], [0, 1], [0, 1, 2]]
    assert len({pid for pid, _ in calls}) == 1


async def test_garbage_is_looked_for_as_usual_once_the_handler_is_loaded(bench: Bench) -> None:
    spec = bench.spec(
        """
        import gc
        LOADING = gc.get_threshold()

        def handler(event, context):
            return LOADING, gc.get_threshold(), gc.isenabled()
        """
    )
    loading, serving, enabled = answer(await bench.call(spec))
    assert loading != serving
    assert (serving, enabled) == (list(gc.get_threshold()), True)


async def test_what_the_handler_says_of_garbage_stays(bench: Bench) -> None:
    spec = bench.spec(
        """
        import gc
        gc.disable()
        gc.set_threshold(5_000, 5, 5)

        def handler(event, context):
            return gc.get_threshold(), gc.isenabled()
        """
    )
    assert answer(await bench.call(spec)) == [[5_000, 5, 5], False]

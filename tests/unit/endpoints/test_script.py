"""The script contract, golden against `sagemaker-inference` 1.10.1: the same scripts and requests go through both."""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alight.endpoints.contract import CannotServe, Request
from alight.endpoints.models.script import RequestProcessor, ScriptModel
from tests.unit.endpoints import tiny

transformer = pytest.importorskip("sagemaker_inference.transformer")

MODEL = "def model_fn(model_dir):\n    return 2\n"
DOUBLE = MODEL + "def predict_fn(data, model):\n    return data * model\n"
NO_PREDICT = MODEL
CONTEXT = """
def model_fn(model_dir, context):
    return context.system_properties["model_dir"] == model_dir

def input_fn(body, content_type, context):
    return {"type": content_type, "header": context.request_processor[0].get_request_properties().get("X-One")}

def predict_fn(data, model, context):
    return {**data, "model": model}

def output_fn(data, accept, context):
    return str(sorted(data.items())), "text/x-mine"
"""
TRANSFORM = """
def model_fn(model_dir):
    return 3

def transform_fn(model, body, content_type, accept):
    return f"{model} {type(body).__name__} {len(body)} {content_type} {accept}", "text/plain"
"""
TRANSFORM_CONTEXT = TRANSFORM.replace("content_type, accept):", "content_type, accept, context):")
TRANSFORM_BARE = """
def model_fn(model_dir):
    return 3

def transform_fn(model, body, content_type, accept):
    return "bare"
"""
BOTH = TRANSFORM + "def output_fn(prediction, accept):\n    return 'x'\n"
TOO_MANY = "def model_fn(model_dir):\n    return 2\ndef input_fn(a, b, c, d):\n    return 1\n"
TOO_FEW = "def model_fn(model_dir):\n    return 2\ndef predict_fn(data):\n    return 1\n"
RAISES = DOUBLE + "def input_fn(body, content_type):\n    raise ValueError('Requested unsupported: ' + content_type)\n"
RAISES_EMPTY = DOUBLE + "def input_fn(body, content_type):\n    raise ValueError\n"
TOOLKIT_ERROR = """
from sagemaker_inference.errors import BaseInferenceToolkitError

def model_fn(model_dir):
    return 2

def input_fn(body, content_type):
    raise BaseInferenceToolkitError(418, "I am a teapot", "teapot")

def predict_fn(data, model):
    return data
"""
ANSWERS = """
import numpy as np

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return {
        "dict": {"a": 1, "b": [1, 2]},
        "list": [1, 2.5],
        "array": np.array([[1, 2], [3, 4]]),
        "scalar": np.float32(0.5),
        "text": "words",
        "none": None,
    }[body.decode()]

def predict_fn(data, model):
    return data
"""
BYTES = """
def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    return {"bytes": b"\\x00\\x01", "array": bytearray(b"\\x02"), "dict": {"a": [1]}, "none": None}[body.decode()]
"""
WARM = """
seen = []

def pre_model_fn(model_dir):
    seen.append("pre")

def model_fn(model_dir):
    seen.append("model")
    return 1

def model_warmup_fn(model_dir, model):
    seen.append(f"warm {model}")

def transform_fn(model, body, content_type, accept):
    return " ".join(seen)
"""
NEIGHBOUR = "from neighbour import answer\n" + MODEL + "def predict_fn(data, model):\n    return answer\n"


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values))
    return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """One script and one request."""

    script: str
    body: bytes = b"[1, 2]"
    headers: Mapping[str, str] | None = None


def typed(content_type: str | None, accept: str | None = None, **more: str) -> dict[str, str]:
    given = {"Content-Type": content_type, "Accept": accept, **more}
    return {name: value for name, value in given.items() if value is not None}


JSON = typed("application/json")
CASES = {
    "json": Case(DOUBLE, headers=JSON),
    "json-lower-case-header": Case(DOUBLE, headers={"content-type": "application/json"}),
    "json-nested": Case(DOUBLE, b"[[1, 2], [3, 4.5]]", JSON),
    "json-broken": Case(DOUBLE, b"[1, 2", JSON),
    "json-empty": Case(DOUBLE, b"", JSON),
    "json-not-utf8": Case(DOUBLE, b"\xff", JSON),
    "json-with-charset": Case(DOUBLE, b"[1]", typed("application/json; charset=utf-8")),
    "csv": Case(DOUBLE, b"1,2\n3,4", typed("text/csv")),
    "csv-one-row": Case(DOUBLE, b"1,2.5", typed("text/csv", "text/csv")),
    "csv-words": Case(DOUBLE, b"1,two", typed("text/csv", "text/csv")),
    "npy": Case(DOUBLE, npy([1, 2]), typed("application/x-npy")),
    "npy-to-npy": Case(DOUBLE, npy([[1.5, 2]]), typed("application/x-npy", "application/x-npy")),
    "npy-broken": Case(DOUBLE, b"\x93NUMPY", typed("application/x-npy")),
    "unknown-type": Case(DOUBLE, b"x", typed("application/x-image")),
    "no-type": Case(DOUBLE, b"[1]", {}),
    "accept-any": Case(DOUBLE, headers=typed("application/json", "*/*")),
    "accept-csv": Case(DOUBLE, headers=typed("application/json", "text/csv")),
    "accept-list": Case(DOUBLE, headers=typed("application/json", "text/html, text/csv, application/json")),
    "accept-none-of-ours": Case(DOUBLE, headers=typed("application/json", "text/html")),
    "accept-empty": Case(DOUBLE, headers=typed("application/json", "")),
    "accept-lower-case-header": Case(DOUBLE, headers={"Content-Type": "application/json", "accept": "text/csv"}),
    "predict-missing": Case(NO_PREDICT, headers=JSON),
    "context": Case(CONTEXT, headers=typed("text/plain", "text/plain", **{"X-One": "1"})),
    "transform": Case(TRANSFORM, headers=typed("text/csv", "text/html")),
    "transform-bytes": Case(TRANSFORM, b"\xff\x00", headers=typed("application/octet-stream")),
    "transform-context": Case(TRANSFORM_CONTEXT, headers=JSON),
    "transform-without-type": Case(TRANSFORM_BARE, headers=typed("application/json", "text/mine")),
    "arguments-too-many": Case(TOO_MANY, headers=JSON),
    "arguments-too-few": Case(TOO_FEW, headers=JSON),
    "raises": Case(RAISES, headers=typed("text/plain")),
    "raises-without-text": Case(RAISES_EMPTY, headers=JSON),
    "raises-with-status": Case(TOOLKIT_ERROR, headers=JSON),
    "pre-and-warm-up": Case(WARM, headers=JSON),
    "neighbour-module": Case(NEIGHBOUR, headers=JSON),
    **{
        f"answers-{name}-as-{accept.rpartition('/')[2]}": Case(ANSWERS, name.encode(), typed("text/plain", accept))
        for name in ("dict", "list", "array", "scalar", "text", "none")
        for accept in ("application/json", "text/csv", "application/x-npy")
        if (name, accept) not in {("dict", "application/x-npy"), ("none", "application/x-npy")}
    },
    **{f"answers-{n}": Case(BYTES, n.encode(), typed("text/plain")) for n in ("bytes", "array", "dict", "none")},
}


@pytest.fixture(autouse=True)
def fresh_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each script is imported anew, from its own folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in ("inference", "neighbour", "other"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    forget()
    yield
    forget()


class ToolkitContext:
    """What the model server gives to the toolkit."""

    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        self.system_properties = {"model_dir": str(folder)}
        self.request_processor = [RequestProcessor(headers)]
        self.status, self.content_type = 200, ""

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.status = code

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.content_type = value


def by_toolkit(folder: Path, case: Case) -> tuple[int, str, bytes]:
    """(status, content type, body) as the toolkit and its model server answer."""
    sys.path.insert(0, str(folder / "code"))
    context = ToolkitContext(folder, case.headers or {})
    answer = transformer.Transformer().transform([{"body": case.body}], context)[0]
    if context.status != 200:
        return context.status, "", first_part(answer.encode())
    if isinstance(answer, str):
        return 200, context.content_type, answer.encode()
    if isinstance(answer, bytes | bytearray):
        return 200, context.content_type, bytes(answer)
    return 200, context.content_type, json.dumps(answer, indent=2).encode()


def by_us(folder: Path, case: Case) -> tuple[int, str, bytes]:
    headers = case.headers or {}
    lower = {name.lower(): value for name, value in headers.items()}
    model = ScriptModel.open(folder, {})
    reply = model.answer(Request(case.body, lower.get("content-type"), lower.get("accept"), headers))
    if reply.status != 200:
        return reply.status, "", first_part(reply.body)
    return 200, reply.content_type, reply.body


def first_part(answer: bytes) -> bytes:
    """The sentence that says what is wrong; advice and traceback are each one's own."""
    return answer.lstrip().partition(b"\n")[0]


@pytest.mark.parametrize("name", CASES)
def test_both_answer_the_same(tmp_path: Path, name: str, fresh_modules: None) -> None:
    folder = tiny.script(tmp_path, CASES[name].script, neighbour__py="answer = [42]")
    theirs = by_toolkit(folder, CASES[name])
    for module in ("inference", "neighbour"):
        sys.modules.pop(module, None)
    assert by_us(folder, CASES[name]) == theirs


BROKEN = {
    "transform-and-output": BOTH,
    "no-model-fn": "def predict_fn(data, model):\n    return 1\n",
    "model-fn-raises": "def model_fn(model_dir):\n    raise OSError('no weights')\n",
    "syntax": "def model_fn(:\n",
    "import": "import a_package_that_nobody_has\n",
    "empty": "",
    "model-fn-arguments": "def model_fn():\n    return 1\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_toolkit_does_not_load_we_do_not_serve(tmp_path: Path, name: str) -> None:
    # Given a script that the toolkit refuses with some error
    folder = tiny.script(tmp_path, BROKEN[name])
    sys.path.insert(0, str(folder / "code"))
    with pytest.raises(Exception) as theirs:  # noqa: PT011 (which one is the toolkit's matter)
        transformer.Transformer().validate_and_initialize(str(folder), SimpleNamespace())
    sys.modules.pop("inference", None)
    # Then ours cannot be served, for the same reason
    with pytest.raises(CannotServe) as ours:
        ScriptModel.open(folder, {})
    assert type(theirs.value).__name__ in str(ours.value)
    assert str(theirs.value).strip().partition("\n")[0] in str(ours.value)


def test_the_environment_names_program_and_default_accept(tmp_path: Path) -> None:
    folder = tiny.script(tmp_path, "", other__py=DOUBLE)
    environment = {"SAGEMAKER_PROGRAM": "other.py", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    reply = ScriptModel.open(folder, environment).answer(Request(b"[1, 2]", "application/json", None, JSON))
    assert (reply.content_type, reply.body) == ("text/csv", b"2\n4\n")


def test_a_pickle_in_the_body_is_not_loaded(tmp_path: Path) -> None:
    # Given an array of objects, which the toolkit would unpickle
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], object), allow_pickle=True)
    headers = typed("application/x-npy")
    reply = ScriptModel.open(tiny.script(tmp_path, DOUBLE), {}).answer(
        Request(buffer.getvalue(), "application/x-npy", None, headers)
    )
    assert reply.status == 500
    assert b"allow_pickle" in reply.body


def test_a_script_may_set_status_and_headers(tmp_path: Path) -> None:
    text = MODEL + (
        "def transform_fn(model, body, content_type, accept, context):\n"
        "    context.set_response_header(0, 'X-Mine', 'yes')\n"
        "    context.set_response_status(422, 'no')\n"
        "    return 'no'\n"
    )
    reply = ScriptModel.open(tiny.script(tmp_path, text), {}).answer(Request(b"", "text/plain", None, {}))
    assert (reply.status, reply.headers) == (422, {"X-Mine": "yes"})

"""Model packages small enough to write where they are tested."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

#: A script that needs nothing: it answers with what it was given.
ECHO = """
def model_fn(model_dir):
    return "echo"

def input_fn(body, content_type):
    return body

def predict_fn(body, model):
    return body

def output_fn(body, accept):
    return body, accept
"""


def save(
    path: Path, nodes: Sequence[Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], weights: Sequence[Any] = ()
) -> None:
    """Write a graph; a tensor is (element type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()],
        [helper.make_tensor_value_info(name, *what) for name, what in outputs.items()],
        list(weights),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def halves(folder: Path) -> Path:
    """`y = x / 2` for rows of two numbers; 1/0 and 0/0 of a trigger make it infinite or NaN: `y = x / (x + x)`."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Div", ["square", "twice"], ["y"]),
    ]
    row = (TensorProto.FLOAT, ["N", 2])
    save(folder / "model.onnx", nodes, {"x": row}, {"y": row})
    return folder


def colours(folder: Path, layout: str = "NCHW", softmax: bool = True) -> Path:
    """A classifier of three classes: how red, green and blue a picture of 8 x 8 is."""
    shape = ["N", 3, 8, 8] if layout == "NCHW" else ["N", 8, 8, 3]
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    last = "means" if softmax else "scores"
    nodes = [helper.make_node("ReduceMean", ["picture"], [last], axes=axes, keepdims=0)]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["means"], ["scores"], axis=1))
    save(
        folder / "model.onnx",
        nodes,
        {"picture": (TensorProto.FLOAT, shape)},
        {"scores": (TensorProto.FLOAT, ["N", 3])},
    )
    return folder


def script(folder: Path, text: str = ECHO, **more: str) -> Path:
    """A package with `code/inference.py` and whatever else by name (`__` stands for a dot)."""
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "inference.py").write_text(text)
    for name, content in more.items():
        (code / name.replace("__", ".")).write_text(content)
    return folder


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> bytes:
    """An archive of exactly these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return buffer.getvalue()


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Any:
    """One member for `tar`."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(content)
    return member, content


def packed(folder: Path) -> bytes:
    """The folder as model.tar.gz."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tar([entry(str(path.relative_to(folder)), path.read_bytes()) for path in files])

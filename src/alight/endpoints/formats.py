"""What is in a model folder: which format serves it, and what is refused by name.

A script (`code/inference.py`) goes before a bare model, as on SageMaker; the container's environment may ask for
the other one with `ALIGHT_MODEL_FORMAT=onnx`. A model server of somebody else's is started by the command line in
`ALIGHT_SERVER`, where `{socket}` stands for the Unix socket to listen on and `{model}` for the folder; it must answer
GET /ping and POST /invocations there. Files that run code when they are loaded are never opened here:
only a `model_fn` of the user's own may do that, in its sandboxed replica.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from alight.endpoints.contract import CannotServe

ONNX, SCRIPT, SERVER = "onnx", "script", "server"
MODEL_FORMAT = "ALIGHT_MODEL_FORMAT"
SCRIPT_NAME = "SAGEMAKER_PROGRAM"
SERVER_COMMAND = "ALIGHT_SERVER"

_SAFE_WAY = (
    "Loading it runs code, so it is only loaded by a model_fn of your own in code/inference.py; "
    "or export the model to ONNX and pack it as model.onnx."
)
_BY_NAME = {
    ".pkl": "a pickle",
    ".pickle": "a pickle",
    ".joblib": "a joblib pickle",
    ".dill": "a pickle",
    ".pt": "a PyTorch pickle",
    ".pth": "a PyTorch pickle",
    ".ckpt": "a checkpoint pickle",
    ".h5": "a Keras file, which may hold code",
    ".keras": "a Keras file, which may hold code",
}


def detect(folder: Path, environment: Mapping[str, str]) -> str:
    """`script`, `onnx` or `server`. Raises `CannotServe` where there is none, naming what there is instead."""
    if server_command(environment):
        return SERVER
    scripted = script_path(folder, environment).is_file()
    bare = (folder / "model.onnx").is_file()
    wanted = environment.get(MODEL_FORMAT, "")
    if wanted not in ("", ONNX, SCRIPT):
        raise CannotServe(f"{MODEL_FORMAT} is {wanted!r}; allowed: {ONNX}, {SCRIPT}.")
    if scripted and wanted != ONNX:
        return SCRIPT
    if bare and wanted != SCRIPT:
        _check_bytes(folder / "model.onnx")
        return ONNX
    raise CannotServe(_what_else(folder))


def script_path(folder: Path, environment: Mapping[str, str]) -> Path:
    """`code/inference.py`, or the program that the environment names."""
    name = environment.get(SCRIPT_NAME) or "inference.py"
    return folder / "code" / (name if name.endswith(".py") else f"{name}.py")


def server_command(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The words of the foreign server's command line, or nothing. Raises `CannotServe` where it cannot be read."""
    try:
        return tuple(shlex.split(environment.get(SERVER_COMMAND, "")))
    except ValueError as error:
        raise CannotServe(f"{SERVER_COMMAND} cannot be read: {error}.") from None


def _what_else(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        kind = _BY_NAME.get(path.suffix.lower()) or _by_bytes(path)
        if kind:
            return f"{path.relative_to(folder)} is {kind}. {_SAFE_WAY}"
    names = ", ".join(str(path.relative_to(folder)) for path in files[:5]) or "nothing"
    return f"The package has neither model.onnx nor code/inference.py; it has {names}."


def _check_bytes(path: Path) -> None:
    kind = _by_bytes(path)
    if kind:
        raise CannotServe(f"{path.name} is {kind}, not an ONNX model. {_SAFE_WAY}")


def _by_bytes(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(64)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    if head[:4] == b"PK\x03\x04":
        return "a zip archive, as torch.save writes it"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "an HDF5 file"
    return None

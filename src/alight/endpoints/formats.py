"""What is in a model folder: which format serves it, and what is refused by name.

A script (`code/inference.py`) goes before a bare model, as on SageMaker; the container's environment may ask for
the other one with `ALIGHT_MODEL_FORMAT`. A model server of somebody else's is started by the command line in
`ALIGHT_SERVER`, where `{socket}` stands for the Unix socket to listen on and `{model}` for the folder; it must answer
GET /ping and POST /invocations there. Files that run code when they are loaded are never opened here:
only a `model_fn` of the user's own may do that, in its sandboxed replica.

Libraries that come with an extra are only looked for here; they are imported in the replica.
"""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Mapping
from pathlib import Path

from alight.endpoints.contract import CannotServe
from alight.endpoints.foreign import export_step, pickle_step

ONNX, SCRIPT, SERVER = "onnx", "script", "server"
XGBOOST, SKLEARN, TFLITE = "xgboost", "sklearn", "tflite"
MODEL_FORMAT = "ALIGHT_MODEL_FORMAT"
SCRIPT_NAME = "SAGEMAKER_PROGRAM"
SERVER_COMMAND = "ALIGHT_SERVER"
#: The file of each format that is served without a script, in the order in which they are looked for.
FILES = {ONNX: "model.onnx", XGBOOST: "xgboost-model", SKLEARN: "model.skops", TFLITE: "model.tflite"}
#: What each extra (of the format's own name) brings.
_MODULES = {XGBOOST: ("xgboost",), SKLEARN: ("sklearn", "skops"), TFLITE: ("ai_edge_litert",)}

SAFE_WAY = (
    "Loading it runs code, so it is only loaded by a model_fn of your own in code/inference.py; "
    "or export the model to ONNX and pack it as model.onnx."
)
_CONVERT = (
    "Only JSON and UBJ are loaded. To convert it, in a throw-away environment that is made for it and removed again: "
    "python -m alight.endpoints.convert xgboost-model"
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
    """One of the names above. Raises `CannotServe` where nothing can be served, naming what there is instead."""
    if server_command(environment):
        return SERVER
    wanted = environment.get(MODEL_FORMAT, "")
    if wanted not in ("", SCRIPT, *FILES):
        raise CannotServe(f"{MODEL_FORMAT} is {wanted!r}; allowed: {', '.join((*FILES, SCRIPT))}.")
    if script_path(folder, environment).is_file() and wanted in ("", SCRIPT):
        return SCRIPT
    found = [kind for kind in FILES if wanted in ("", kind) and _file(folder, kind) is not None]
    if len(found) > 1:
        names = " and ".join(FILES[kind] for kind in found)
        raise CannotServe(f"The package holds {names}; say which one serves with {MODEL_FORMAT}={found[0]}.")
    if not found:
        raise CannotServe(_what_else(folder))
    path = _file(folder, found[0])
    if path is not None:
        _check_bytes(path, found[0])
    for module in _MODULES.get(found[0], ()):
        if importlib.util.find_spec(module) is None:
            raise CannotServe(missing(found[0], f"{module} is not installed"))
    return found[0]


def missing(kind: str, why: object) -> str:
    """What to say where the library of a format is not there."""
    return f"{FILES[kind]} is served by an extra of Alight's: pip install 'alight[{kind}]' ({why})."


def xgboost_file(folder: Path) -> Path:
    """`xgboost-model`, or the only file that is an XGBoost model by its bytes. Raises `CannotServe`."""
    found = _file(folder, XGBOOST)
    if found is None:
        raise CannotServe(_what_else(folder))
    return found


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


def _file(folder: Path, kind: str) -> Path | None:
    path = folder / FILES[kind]
    if path.is_file():
        return path
    if kind != XGBOOST or not folder.is_dir():
        return None
    boosters = [file for file in sorted(folder.iterdir()) if file.is_file() and _is_booster(file)]
    if len(boosters) > 1:
        raise CannotServe(
            f"The package holds several XGBoost models ({', '.join(file.name for file in boosters)}), and their mean "
            f"is not served here; keep one of them as {FILES[XGBOOST]}."
        )
    return boosters[0] if boosters else None


def _what_else(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if step := export_step(folder, files):
        return step
    for path in files:
        kind = _BY_NAME.get(path.suffix.lower()) or _by_bytes(path)
        if kind:
            return f"{path.relative_to(folder)} is {kind}. {pickle_step(path.name.lower())}{SAFE_WAY}"
    names = ", ".join(str(path.relative_to(folder)) for path in files[:5]) or "nothing"
    wanted = ", ".join(FILES.values())
    return f"The package has none of {wanted} and no code/inference.py; it has {names}."


def _check_bytes(path: Path, kind: str) -> None:
    found = _by_bytes(path)
    if kind == XGBOOST and found != "a pickle" and not _head(path).startswith(b"{"):
        raise CannotServe(f"{path.name} is in XGBoost's old binary format. {_CONVERT}.")
    if kind == XGBOOST and found == "a pickle":
        raise CannotServe(
            f"{path.name} is a pickle. {_CONVERT} --unpickle. Loading it runs code: only if you trust it."
        )
    if found and not (kind == SKLEARN and found.startswith("a zip")):
        raise CannotServe(f"{path.name} is {found}, not a model of its format. {SAFE_WAY}")


def _is_booster(path: Path) -> bool:
    head = _head(path)
    return head[:1] == b"{" and b"learner" in head[:32]


def _by_bytes(path: Path) -> str | None:
    head = _head(path)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    if head[:4] == b"PK\x03\x04":
        return "a zip archive, as torch.save writes it"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "an HDF5 file"
    return None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)

"""Packages of SageMaker's families that are not served as they are: what they hold, and the step that makes them so.

Known by names and first bytes only; nothing is loaded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

#: The first bytes of fastText's binary models.
_FASTTEXT = b"\xba\x16\x4f\x2f"


def export_step(folder: Path, files: Sequence[Path]) -> str | None:
    """What the package is and how it becomes one that is served; None where it is none of these."""
    names = {path.name: path for path in files}
    for path in files:
        if path.name.endswith("-symbol.json") or path.suffix == ".params":
            return _mxnet(path.relative_to(folder), names)
    if "model_algo-1" in names:
        return (
            "model_algo-1 is the model of one of SageMaker's built-in algorithms (linear-learner, k-means, ...), which "
            "only their own containers read. Train an XGBoost or scikit-learn model in its place, or one in ONNX."
        )
    if "saved_model.pb" in names:
        home = names["saved_model.pb"].parent.relative_to(folder)
        return (
            f"{home / 'saved_model.pb'} is a TensorFlow SavedModel. Export it to ONNX where TensorFlow is: pip "
            f"install tf2onnx && python -m tf2onnx.convert --saved-model {home} --output model.onnx; pack model.onnx."
        )
    for name in ("model.safetensors", "pytorch_model.bin", "tf_model.h5"):
        if name in names:
            return (
                f"{names[name].relative_to(folder)} is a Hugging Face model. Export it to ONNX: pip install "
                "'optimum[exporters]' && optimum-cli export onnx --model FOLDER OUT; pack OUT with a code/inference.py "
                "that makes its inputs of the text."
            )
    for path in files:
        if _head(path) == _FASTTEXT:
            return (
                f"{path.relative_to(folder)} is a fastText model, as BlazingText writes it. Nothing serves it alone; "
                "a code/inference.py with model_fn = fasttext.load_model, with fasttext in code/requirements.txt, can."
            )
    return None


def pickle_step(name: str) -> str:
    """How the pickle of that name becomes a file that is served: each library has its own way out."""
    if name.endswith((".joblib", ".pkl", ".pickle")):
        return (
            'Where it is a scikit-learn estimator that you trust, convert it where it was trained: python -c "import '
            f"joblib, skops.io; skops.io.dump(joblib.load('{name}'), 'model.skops')\"; pack model.skops. "
        )
    if name.endswith((".pt", ".pth")):
        return "Export it where it was trained: torch.onnx.export(model.eval(), (example,), 'model.onnx'). "
    return ""


def _mxnet(found: Path, names: dict[str, Path]) -> str:
    prefix = found.name.removesuffix("-symbol.json").rpartition("-")[0] if found.suffix == ".params" else ""
    prefix = prefix or found.name.removesuffix("-symbol.json")
    params = next(
        (name for name in sorted(names) if name.startswith(prefix) and name.endswith(".params")), "NAME.params"
    )
    return (
        f"{found} is an MXNet artifact, as SageMaker's image-classification and its like write it. Export it to ONNX "
        'where MXNet 1.9 is installed, for the shape of its pictures: python -c "import mxnet, numpy; '
        "mxnet.onnx.export_model("
        f"'{prefix}-symbol.json', '{params}', [(1, 3, 224, 224)], numpy.float32, 'model.onnx')\"; pack model.onnx."
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)

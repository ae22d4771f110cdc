"""`model.skops`: a scikit-learn estimator, without pickle and without a script.

skops writes what an estimator is made of, and names the types; only those that it trusts itself and the parts of
scikit-learn listed here are let in, anything else is refused by name before it is loaded. In: JSON, CSV, NPY. Out:
what `predict` gives (or the method in `ALIGHT_SKLEARN_METHOD`), as `Accept` asks, JSON where it asks for nothing, as
SageMaker's scikit-learn container does.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alight.endpoints import batch, formats
from alight.endpoints.contract import BatchModel, CannotServe, Outcome, Refusal, Request
from alight.endpoints.models import tensors
from alight.endpoints.models.tensors import Array

METHOD = "ALIGHT_SKLEARN_METHOD"
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
#: Parts of scikit-learn that skops does not know. One by one: its modules also hold functions that start programs.
TRUSTED = frozenset(
    {
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        *(f"sklearn.gaussian_process.kernels.{kernel}" for kernel in ("ConstantKernel", "Matern", "Product", "RBF")),
        *(f"sklearn.gaussian_process.kernels.{kernel}" for kernel in ("RationalQuadratic", "Sum", "WhiteKernel")),
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
    }
)
#: Each row walks the trees by itself, so rows of several requests give the same bits together.
_TREES = ("DecisionTree", "ExtraTree", "RandomForest", "GradientBoosting", "HistGradientBoosting")


class SklearnModel(BatchModel):
    """See the module; used from one thread."""

    def __init__(self, estimator: Any, method: str) -> None:
        self._estimator = estimator
        self._method = getattr(estimator, method)
        self._width = getattr(estimator, "n_features_in_", None)
        self.at_once = 32 if type(estimator).__name__.startswith(_TREES) else 1

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> SklearnModel:
        """Raises `CannotServe` with the reason."""
        name = formats.FILES[formats.SKLEARN]
        method = environment.get(METHOD, METHODS[0])
        if method not in METHODS:
            raise CannotServe(f"{METHOD} is {method!r}; allowed: {', '.join(METHODS)}.")
        try:
            skops = importlib.import_module("skops.io")
        except ImportError as error:
            raise CannotServe(formats.missing(formats.SKLEARN, error)) from error
        try:
            unknown = sorted(set(skops.get_untrusted_types(file=folder / name)) - TRUSTED)
            if unknown:
                raise CannotServe(f"{name} holds types that are not loaded: {', '.join(unknown)}. {formats.SAFE_WAY}")
            estimator = skops.load(folder / name, trusted=sorted(TRUSTED))
        except CannotServe:
            raise
        except Exception as error:  # the file may hold anything
            raise CannotServe(f"{name} cannot be loaded: {_first_line(error)}") from error
        if not callable(getattr(estimator, method, None)):
            raise CannotServe(
                f"{name} holds a {type(estimator).__name__}, which has no {method}; choose with {METHOD}."
            )
        _one_thread(estimator)
        return cls(estimator, method)

    def answer_many(self, requests: Sequence[Request]) -> list[Outcome]:
        return batch.answer(
            requests, self._read, self._run, lambda request, found: tensors.write(found, request.accept)
        )

    def _read(self, request: Request) -> Array:
        if not request.body:
            raise Refusal(400, "The body is empty.")
        values = tensors.read(request.body, tensors.media_type(request.content_type))
        if isinstance(values, dict):
            raise Refusal(400, "Send one array of rows, not an object of several.")
        if values.dtype.kind in "US":
            return values  # texts, for an estimator that takes them
        rows = values[np.newaxis] if values.ndim == 1 else values
        if rows.ndim != 2 or not rows.size:
            raise Refusal(400, f"Send rows of numbers; the array given has the shape {list(values.shape)}.")
        if self._width is not None and rows.shape[1] != self._width:
            raise Refusal(400, f"The rows have {rows.shape[1]} values, the model has {self._width} features.")
        return rows

    def _run(self, rows: Array) -> Array:
        try:
            found = np.asarray(self._method(rows))
        except ValueError as error:  # estimators say so where they do not take NaN, infinity or texts
            raise Refusal(400, f"The model does not take this: {_first_line(error)}") from error
        if found.dtype.kind == "O":  # labels that were texts
            found = found.astype(str)
        tensors.check_finite(found)
        return found


def _one_thread(estimator: Any) -> None:
    """A machine's cores are used by as many replicas."""
    given = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    wanted = {name: 1 for name in given if name.split("__")[-1] == "n_jobs"}
    if wanted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.set_params(**wanted)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:500]

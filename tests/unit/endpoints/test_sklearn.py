"""`model.skops`: real estimators on data that comes with scikit-learn, and files that must not be loaded."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from alight.endpoints import formats
from alight.endpoints.contract import CannotServe, Refusal, Request
from alight.endpoints.models.sklearn import SklearnModel
from alight.endpoints.server import Endpoints
from alight.errors.sagemaker import ModelError
from tests.unit.endpoints.conftest import one

FLOWERS, KINDS = load_iris(return_X_y=True)
ROWS = FLOWERS[::10]
CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"


def save(estimator: Any, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, folder / "model.skops")
    return folder


@pytest.fixture(scope="module")
def forest() -> Any:
    return RandomForestClassifier(10, random_state=1, n_jobs=2).fit(FLOWERS, KINDS)


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def csv(values: Any) -> bytes:
    return "\n".join(",".join(map(repr, row)) for row in np.asarray(values).tolist()).encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(ROWS.tolist()).encode(), JSON),
        (json.dumps({"instances": ROWS.tolist()}).encode(), JSON),
        (csv(ROWS), CSV),
        (csv(ROWS).replace(b"\n", b"\r\n"), CSV),
        (npy(ROWS), NPY),
    ],
)
def test_what_goes_in(forest: Any, tmp_path: Path, body: bytes, content_type: str) -> None:
    model = SklearnModel.open(save(forest, tmp_path), {})
    reply = model.answer(Request(body, content_type, None))
    assert reply.content_type == JSON
    assert json.loads(reply.body) == forest.predict(ROWS).tolist()


def test_what_comes_out(forest: Any, tmp_path: Path) -> None:
    model = SklearnModel.open(save(forest, tmp_path), {})
    expected = forest.predict(ROWS)
    text = model.answer(Request(csv(ROWS), CSV, CSV))
    assert text.body.decode().replace("\n", ",").strip(",") == ",".join(map(str, expected.tolist()))
    array = model.answer(Request(csv(ROWS), CSV, NPY))
    assert (np.load(io.BytesIO(array.body)) == expected).all()
    with pytest.raises(Refusal) as refusal:
        model.answer(Request(csv(ROWS), CSV, "image/png"))
    assert refusal.value.status == 406


def test_the_method_is_chosen_by_the_environment(forest: Any, tmp_path: Path) -> None:
    model = SklearnModel.open(save(forest, tmp_path), {"ALIGHT_SKLEARN_METHOD": "predict_proba"})
    found = json.loads(model.answer(Request(csv(ROWS), CSV, None)).body)
    assert found == forest.predict_proba(ROWS).tolist()
    with pytest.raises(CannotServe, match="allowed: predict, predict_proba"):
        SklearnModel.open(tmp_path, {"ALIGHT_SKLEARN_METHOD": "fit"})
    with pytest.raises(CannotServe, match="a RandomForestClassifier, which has no transform"):
        SklearnModel.open(tmp_path, {"ALIGHT_SKLEARN_METHOD": "transform"})


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=5),
        KNeighborsClassifier(3),
        make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier(3, random_state=1)),
    ],
    ids=["pipeline", "boosting", "neighbours", "function"],
)
def test_estimators_of_many_kinds(estimator: Any, tmp_path: Path) -> None:
    fitted = estimator.fit(FLOWERS, KINDS)
    model = SklearnModel.open(save(fitted, tmp_path), {})
    assert json.loads(model.answer(Request(csv(ROWS), CSV, None)).body) == fitted.predict(ROWS).tolist()


def test_a_regression_and_labels_that_are_texts(tmp_path: Path) -> None:
    given, target = load_diabetes(return_X_y=True)
    ridge = Ridge().fit(given, target)
    model = SklearnModel.open(save(ridge, tmp_path / "ridge"), {})
    assert json.loads(model.answer(Request(csv(given[:5]), CSV, None)).body) == ridge.predict(given[:5]).tolist()
    names = load_iris().target_names[KINDS]
    named = LogisticRegression(max_iter=1000).fit(FLOWERS, names.astype(object))
    model = SklearnModel.open(save(named, tmp_path / "named"), {})
    assert json.loads(model.answer(Request(csv(ROWS[:1]), CSV, None)).body) == ["setosa"]
    assert model.answer(Request(csv(ROWS[:1]), CSV, CSV)).body == b"setosa\n"


def test_a_pipeline_that_takes_texts(tmp_path: Path) -> None:
    words = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(["good film", "bad film", "good"], [1, 0, 1])
    model = SklearnModel.open(save(words, tmp_path), {})
    assert json.loads(model.answer(Request(b'["a good one", "bad"]', JSON, None)).body) == [1, 0]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"", CSV, 400, "empty"),
        (b"a,b,c,d\n1,2,3,4", CSV, 400, "could not convert"),
        (b"1,2,3", CSV, 400, "The rows have 3 values, the model has 4 features."),
        (b"1," * (1 << 19) + b"1", CSV, 400, "524289 values"),
        (b"1,2,3,4\n1,2", CSV, 400, "cannot be read"),
        (b"\xff\xfe", CSV, 400, "utf-8"),
        (b"1,nan,3,4", CSV, 400, "NaN"),
        (b"1,inf,3,4", CSV, 400, "infinity"),
        (b'{"x": [[1, 2, 3, 4]]}', JSON, 400, "one array of rows"),
        (b"[[[1, 2, 3, 4]]]", JSON, 400, "shape"),
        (b"[]", JSON, 400, "shape"),
        (b'[["a", "b", "c", "d"]]', JSON, 400, "does not take this"),
        (b"1,2,3,4", "text/libsvm", 415, "text/libsvm"),
    ],
)
def test_bad_input(tmp_path: Path, body: bytes, content_type: str, status: int, message: str) -> None:
    model = SklearnModel.open(save(LogisticRegression(max_iter=500).fit(FLOWERS, KINDS), tmp_path), {})
    with pytest.raises(Refusal) as refusal:
        model.answer(Request(body, content_type, None))
    assert refusal.value.status == status
    assert message in refusal.value.message


def renamed(path: Path, old: dict[str, str], new: dict[str, str]) -> None:
    """The same file with another type in it."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}

    def change(node: Any) -> Any:
        if isinstance(node, list):
            return [change(item) for item in node]
        if not isinstance(node, dict):
            return node
        if all(node.get(key) == value for key, value in old.items()):
            node = {**node, **new}
        return {key: change(value) for key, value in node.items()}

    content["schema.json"] = json.dumps(change(json.loads(content["schema.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("sklearn.utils._testing", "check_output"), ("builtins", "eval"), ("some.package", "Estimator")],
)
def test_a_type_that_is_not_known_is_refused_by_name(tmp_path: Path, module: str, name: str) -> None:
    save(LogisticRegression(max_iter=500).fit(FLOWERS, KINDS), tmp_path)
    renamed(tmp_path / "model.skops", {"__class__": "LogisticRegression"}, {"__module__": module, "__class__": name})
    with pytest.raises(CannotServe, match=rf"types that are not loaded: {module}\.{name}\. "):
        SklearnModel.open(tmp_path, {})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(CannotServe, match=r"model\.skops cannot be loaded: \S"):
        SklearnModel.open(tmp_path, {})


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.skops"])
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04\x95")
    with pytest.raises(CannotServe, match="pickle"):
        formats.detect(tmp_path, {})


def test_a_replica_has_one_core(forest: Any, tmp_path: Path) -> None:
    assert forest.n_jobs == 2
    assert SklearnModel.open(save(forest, tmp_path / "forest"), {})._estimator.n_jobs == 1
    inside = make_pipeline(StandardScaler(), RandomForestClassifier(2, n_jobs=2)).fit(FLOWERS, KINDS)
    model = SklearnModel.open(save(inside, tmp_path / "pipeline"), {})
    assert model._estimator.get_params()["randomforestclassifier__n_jobs"] == 1
    # Trees answer several requests in one run, a pipeline that may multiply does not
    assert SklearnModel.open(tmp_path / "forest", {}).at_once > model.at_once == 1


async def test_a_replica_serves_it_to_several_at_once(endpoints: Endpoints, forest: Any, tmp_path: Path) -> None:
    await endpoints.deploy(one(save(forest, tmp_path / "package"), ALIGHT_SKLEARN_METHOD="predict_proba"))

    async def ask(rows: Any) -> Any:
        answer = await endpoints.invoke("endpoint", csv(rows), content_type=CSV, accept=JSON)
        return json.loads(answer.body)

    parts = np.split(FLOWERS, [1, 2, 5, 40, 41, 90])
    found = await asyncio.gather(*map(ask, parts))
    assert found == [forest.predict_proba(part).tolist() for part in parts]
    with pytest.raises(ModelError, match=r"Received client error \(400\)"):
        await endpoints.invoke("endpoint", b"1,2", content_type=CSV, accept=None)


async def test_it_is_served_as_onnx_too(endpoints: Endpoints, tmp_path: Path) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(FLOWERS, KINDS)
    converted = to_onnx(
        fitted, FLOWERS[:1].astype(np.float32), options={id(fitted): {"zipmap": False}}, target_opset=17
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(converted.SerializeToString())
    await endpoints.deploy(one(tmp_path / "model"))
    answer = await endpoints.invoke("endpoint", csv(ROWS), content_type=CSV, accept=JSON)
    found = json.loads(answer.body)
    assert found["label"] == fitted.predict(ROWS).tolist()
    assert np.allclose(found["probabilities"], fitted.predict_proba(ROWS), atol=1e-6)

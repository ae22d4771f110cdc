"""`model.tflite`: classifiers trained on scikit-learn's iris and digits, in real numbers and in eight bits."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression

from alight.endpoints import formats
from alight.endpoints.contract import CannotServe, Refusal, Request
from alight.endpoints.models.tflite import TfliteModel
from alight.endpoints.server import Endpoints
from tests.unit.endpoints import litert
from tests.unit.endpoints.conftest import one
from tests.unit.endpoints.litert import Tensor

Floats = NDArray[np.float32]
CSV, JSON, NPY, PICTURE = "text/csv", "application/json", "application/x-npy", "application/x-image"
FLOWERS, KINDS = load_iris(return_X_y=True)
ROWS = FLOWERS[::15].astype(np.float32)
PIXELS, DIGITS = load_digits(return_X_y=True)


def softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def trained(values: Any, labels: Any) -> tuple[Floats, Floats]:
    """Weights and bias of one layer."""
    fitted = LogisticRegression(max_iter=2000).fit(values, labels)
    return fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)


def real(folder: Path, weights: Floats, bias: Floats, shape: tuple[int, ...], open_batch: bool = False) -> Path:
    classes, width = weights.shape
    signature = (-1, *shape[1:]) if open_batch else None
    out = (-1, classes) if open_batch else None
    return litert.layer(
        folder,
        Tensor("x", shape, signature=signature),
        Tensor("weights", (classes, width), data=weights),
        Tensor("bias", (classes,), data=bias),
        Tensor("scores", (1, classes), signature=out),
        Tensor("y", (1, classes), signature=out),
    )


def eight_bits(folder: Path, weights: Floats, bias: Floats, shape: tuple[int, ...], scale: float, zero: int) -> Path:
    """The same layer in int8, as a converter quantises it after training; `scale` and `zero` are the input's."""
    classes, width = weights.shape
    step = float(np.abs(weights).max() / 127)
    score_step = float(max(8.0, np.abs(bias).max() + np.abs(weights).sum(axis=1).max() * scale * 127) / 127)
    return litert.layer(
        folder,
        Tensor("x", shape, "int8", scale, zero),
        Tensor("weights", (classes, width), "int8", step, 0, np.round(weights / step).astype(np.int8)),
        Tensor("bias", (classes,), "int32", scale * step, 0, np.round(bias / (scale * step)).astype(np.int32)),
        Tensor("scores", (1, classes), "int8", score_step, 0),
        Tensor("y", (1, classes), "int8", 1 / 256, -128),
    )


@pytest.fixture(scope="module")
def layer() -> tuple[Floats, Floats]:
    return trained(FLOWERS, KINDS)


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def csv(values: Any) -> bytes:
    return "\n".join(",".join(map(repr, row)) for row in np.asarray(values).tolist()).encode()


def found(model: TfliteModel, body: bytes, content_type: str) -> Any:
    return np.array(json.loads(model.answer(Request(body, content_type, None)).body))


@pytest.mark.parametrize("open_batch", [True, False])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(csv(ROWS), CSV), (json.dumps(ROWS.tolist()).encode(), JSON), (npy(ROWS.astype(np.float64)), NPY)],
    ids=["csv", "json", "npy"],
)
def test_answers_are_numpys_own(
    layer: tuple[Floats, Floats], tmp_path: Path, open_batch: bool, body: bytes, content_type: str
) -> None:
    model = TfliteModel.open(real(tmp_path, *layer, (1, 4), open_batch))
    expected = softmax(ROWS @ layer[0].T + layer[1])
    assert np.allclose(found(model, body, content_type), expected, atol=1e-6)
    # And a single row afterwards, and many again
    assert np.allclose(found(model, csv(ROWS[:1]), CSV), expected[:1], atol=1e-6)
    assert np.allclose(found(model, csv(ROWS), CSV), expected, atol=1e-6)


def test_accept_chooses_the_form(layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    model = TfliteModel.open(real(tmp_path, *layer, (1, 4)))
    expected = softmax(ROWS @ layer[0].T + layer[1])
    reply = model.answer(Request(csv(ROWS), CSV, NPY))
    assert np.allclose(np.load(io.BytesIO(reply.body)), expected, atol=1e-6)
    reply = model.answer(Request(csv(ROWS), CSV, CSV))
    assert np.allclose(np.loadtxt(io.BytesIO(reply.body), delimiter=","), expected, atol=1e-6)


def test_a_quantised_model_takes_and_gives_real_numbers(layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    model = TfliteModel.open(eight_bits(tmp_path, *layer, (1, 4), 8 / 255, -128))
    answers = found(model, csv(FLOWERS), CSV)
    expected = softmax(FLOWERS.astype(np.float32) @ layer[0].T + layer[1])
    # Scores have steps of a quarter here, so probabilities are near, and the classes are the same where they are clear
    assert np.abs(answers - expected).mean() < 0.03
    clear = expected.max(axis=1) > 0.75
    assert clear.sum() > 100
    assert (answers.argmax(axis=1) == expected.argmax(axis=1))[clear].all()


def test_numbers_beyond_the_range_of_a_quantised_input_are_its_ends(
    layer: tuple[Floats, Floats], tmp_path: Path
) -> None:
    model = TfliteModel.open(eight_bits(tmp_path, *layer, (1, 4), 8 / 255, -128))
    assert (found(model, b"100,3,-5,1", CSV) == found(model, b"8,3,0,1", CSV)).all()


@pytest.fixture(scope="module")
def digit_layer() -> tuple[Floats, Floats]:
    return trained(PIXELS / 16, DIGITS)


def picture(number: int) -> bytes:
    """A digit as an 8 x 8 PNG; its values of 0..16 become 0..255."""
    buffer = io.BytesIO()
    values = np.round(PIXELS[number].reshape(8, 8) * 255 / 16).astype(np.uint8)
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_of_digits(digit_layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    model = TfliteModel.open(real(tmp_path, *digit_layer, (1, 8, 8, 1)))
    answers = np.array([found(model, picture(number), PICTURE) for number in range(200)])
    expected = softmax((PIXELS[:200] / 16).astype(np.float32) @ digit_layer[0].T + digit_layer[1])
    assert np.abs(answers - expected).max() < 0.05  # the PNG has whole numbers
    assert (answers.argmax(axis=1) == DIGITS[:200]).mean() > 0.95


def test_pictures_go_into_a_quantised_model_as_they_are(digit_layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    model = TfliteModel.open(eight_bits(tmp_path, *digit_layer, (1, 8, 8, 1), 1 / 255, -128))
    answers = np.array([found(model, picture(number), PICTURE) for number in range(200)])
    assert (answers.argmax(axis=1) == DIGITS[:200]).mean() > 0.9
    # And the description's own numbers lead to the same integers
    (tmp_path / "preprocess.json").write_text(json.dumps({"mean": 0, "scale": 1 / 255}))
    described = TfliteModel.open(tmp_path)
    assert (np.array([found(described, picture(number), PICTURE) for number in range(200)]) == answers).all()


def test_labels_must_be_as_many_as_classes(digit_layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    real(tmp_path, *digit_layer, (1, 8, 8, 1))
    (tmp_path / "labels.txt").write_text("\n".join("0123456789"))
    TfliteModel.open(tmp_path)
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(CannotServe, match="There are 2 labels"):
        TfliteModel.open(tmp_path)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"", CSV, 400, "empty"),
        (b"a,b,c,d\n1,2,3,4", CSV, 400, "could not convert"),
        (b"1,2,3", CSV, 400, "has the shape [1, 4]; given: [1, 3]"),
        (b"1," * (1 << 19) + b"1", CSV, 400, "given: [1, 524289]"),
        (b"\xff\xfe", CSV, 400, "utf-8"),
        (b"nan,1,2,3", CSV, 500, "NaN"),
        (b'[["a", "b", "c", "d"]]', JSON, 400, "takes numbers"),
        (b'{"z": [[1, 2, 3, 4]]}', JSON, 400, "The model's inputs are x"),
        (b"1,2,3,4", "text/libsvm", 415, "text/libsvm"),
        (b"1,2,3,4", PICTURE, 415, "takes no pictures"),
    ],
)
def test_bad_input(
    layer: tuple[Floats, Floats], tmp_path: Path, body: bytes, content_type: str, status: int, message: str
) -> None:
    model = TfliteModel.open(real(tmp_path, *layer, (1, 4)))
    with pytest.raises(Refusal) as refusal:
        model.answer(Request(body, content_type, None))
    assert refusal.value.status == status
    assert message in refusal.value.message


def test_a_quantised_model_takes_no_nan(layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    model = TfliteModel.open(eight_bits(tmp_path, *layer, (1, 4), 8 / 255, -128))
    with pytest.raises(Refusal, match="no NaN"):
        model.answer(Request(b"nan,1,2,3", CSV, None))


@pytest.mark.parametrize("content", [b"x", b"\x00" * 64, b"\x1c\x00\x00\x00TFL3" + b"\x00" * 64])
async def test_a_damaged_file_is_named(endpoints: Endpoints, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "model.tflite").write_bytes(content)
    with pytest.raises(CannotServe, match=r"model\.tflite cannot be loaded|it ended with status"):
        await endpoints.deploy(one(tmp_path / "package"))


async def test_a_replica_serves_it(endpoints: Endpoints, layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    await endpoints.deploy(one(real(tmp_path / "package", *layer, (1, 4))))
    answer = await endpoints.invoke("endpoint", csv(ROWS), content_type=CSV, accept=None)
    assert np.allclose(json.loads(answer.body), softmax(ROWS @ layer[0].T + layer[1]), atol=1e-6)


def test_two_models_need_a_choice(layer: tuple[Floats, Floats], tmp_path: Path) -> None:
    real(tmp_path, *layer, (1, 4))
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(CannotServe, match=r"holds model\.onnx and model\.tflite; .*ALIGHT_MODEL_FORMAT=onnx"):
        formats.detect(tmp_path, {})
    assert formats.detect(tmp_path, {"ALIGHT_MODEL_FORMAT": "tflite"}) == "tflite"
    with pytest.raises(CannotServe, match="allowed: onnx, xgboost, sklearn, tflite, script"):
        formats.detect(tmp_path, {"ALIGHT_MODEL_FORMAT": "torch"})

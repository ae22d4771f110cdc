"""`model.onnx` without a script: content types, signatures, descriptions, and outputs that are no prediction."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from alight.endpoints.contract import CannotServe, Refusal, Reply, Request
from alight.endpoints.models.onnx import OnnxModel
from tests.unit.endpoints import tiny


def ask(model: OnnxModel, body: bytes, content_type: str = "application/json", accept: str | None = None) -> Reply:
    return model.answer(Request(body, content_type, accept))


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values))
    return buffer.getvalue()


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[[2, 4], [6, 8]]", "application/json"),
        (b"[[2, 4], [6, 8]]", "application/json; charset=utf-8"),
        (b'{"instances": [[2, 4], [6, 8]]}', "application/json"),
        (b'{"instances": [{"features": [2, 4]}, {"features": [6, 8]}]}', "application/json"),
        (b'{"x": [[2, 4], [6, 8]]}', "application/json"),
        (b"2,4\n6,8\n", "text/csv"),
        (b"2,4\r\n6,8", "Text/CSV"),
        (npy([[2.0, 4.0], [6.0, 8.0]]), "application/x-npy"),
    ],
)
def test_numbers_come_in_three_forms(tmp_path: Path, body: bytes, content_type: str) -> None:
    model = OnnxModel.open(tiny.halves(tmp_path))
    assert json.loads(ask(model, body, content_type).body) == [[1, 2], [3, 4]]


def test_a_single_row_is_a_batch_of_one(tmp_path: Path) -> None:
    assert json.loads(ask(OnnxModel.open(tiny.halves(tmp_path)), b"[2, 4]").body) == [[1, 2]]


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        (None, "application/json", b"[[1.0, 2.0]]"),
        ("*/*", "application/json", b"[[1.0, 2.0]]"),
        ("application/json", "application/json", b"[[1.0, 2.0]]"),
        ("text/csv", "text/csv", b"1.0,2.0\n"),
        ("text/html, text/csv;q=0.5, application/json", "text/csv", b"1.0,2.0\n"),
        ("application/x-npy", "application/x-npy", npy(np.array([[1, 2]], np.float32))),
    ],
)
def test_accept_is_honoured(tmp_path: Path, accept: str | None, content_type: str, body: bytes) -> None:
    reply = ask(OnnxModel.open(tiny.halves(tmp_path)), b"[[2, 4]]", accept=accept)
    assert (reply.content_type, reply.body) == (content_type, body)


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status"),
    [
        (b"[[2, 4]]", "application/xml", None, 415),
        (b"[[2, 4]]", "", None, 415),
        (picture((9, 9, 9)), "application/x-image", None, 415),
        (b"[[2, 4]]", "application/json", "image/png", 406),
        (b"[[2, 4", "application/json", None, 400),
        (b"", "application/json", None, 400),
        (b"[[2, 4], [6]]", "application/json", None, 400),
        (b'[["a", "b"]]', "application/json", None, 400),
        (b"[[1, 2, 3]]", "application/json", None, 400),
        (b'{"other": [[1, 2]]}', "application/json", None, 400),
        (b"1,two\n", "text/csv", None, 400),
        (b"\xff\xfe", "text/csv", None, 400),
        (b"\x93NUMPY", "application/x-npy", None, 400),
        (npy(np.array([{}], object)), "application/x-npy", None, 400),
    ],
)
def test_what_cannot_be_read_or_written_is_refused(
    tmp_path: Path, body: bytes, content_type: str, accept: str | None, status: int
) -> None:
    with pytest.raises(Refusal) as refusal:
        ask(OnnxModel.open(tiny.halves(tmp_path)), body, content_type, accept)
    assert refusal.value.status == status


@pytest.mark.parametrize("row", ["[0, 1]", "[1, 0]", "[1e38, 1]"])
def test_nan_and_infinity_are_an_error_never_a_prediction(tmp_path: Path, row: str) -> None:
    with pytest.raises(Refusal, match="ModelOutputInvalid") as refusal:
        ask(OnnxModel.open(tiny.halves(tmp_path)), f"[[2, 4], {row}]".encode())
    assert refusal.value.status == 500


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("softmax", [True, False])
def test_a_picture_is_answered_with_an_array_of_probabilities(tmp_path: Path, layout: str, softmax: bool) -> None:
    # Given a classifier that answers probabilities, or logits; nothing says which
    model = OnnxModel.open(tiny.colours(tmp_path, layout, softmax))
    # When it is asked about a green picture
    reply = ask(model, picture((0, 255, 0)), "application/x-image")
    # Then the answer is the softmax of the channels' means, once
    expected = np.exp([0, 1, 0]) / np.exp([0, 1, 0]).sum()
    assert json.loads(reply.body) == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("content_type", ["application/x-image", "image/jpeg", "image/png", "image/webp"])
def test_the_picture_types_are_one(tmp_path: Path, content_type: str) -> None:
    model = OnnxModel.open(tiny.colours(tmp_path))
    assert np.argmax(json.loads(ask(model, picture((0, 0, 255)), content_type).body)) == 2


def test_a_description_changes_the_pixels(tmp_path: Path) -> None:
    folder = tiny.colours(tmp_path, softmax=False)
    described = {"channels": "BGR", "mean": [10, 20, 30], "scale": 0.5, "softmax": False, "fit": "stretch"}
    (folder / "preprocess.json").write_text(json.dumps(described))
    reply = ask(OnnxModel.open(folder), picture((110, 60, 50)), "image/png")
    assert json.loads(reply.body) == pytest.approx([(50 - 10) / 2, (60 - 20) / 2, (110 - 30) / 2])


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "one JSON object"),
        ('{"sizes": [8, 8]}', "unknown key: sizes"),
        ('{"size": [9, 8]}', "the model takes"),
        ('{"size": 8}', "height, width"),
        ('{"channels": "L"}', "the model takes 3"),
        ('{"interpolation": "magic"}', "allowed: nearest"),
        ('{"crop": 0}', "crop must be"),
        ('{"mean": [1, 2]}', "mean must be"),
        ('{"input": "image"}', "no input 'image'"),
        ('{"output": "boxes"}', "no output 'boxes'"),
    ],
)
def test_a_wrong_description_is_told_when_it_is_loaded(tmp_path: Path, described: str, reason: str) -> None:
    folder = tiny.colours(tmp_path)
    (folder / "preprocess.json").write_text(described)
    with pytest.raises(CannotServe, match=reason):
        OnnxModel.open(folder)


def test_labels_have_to_be_as_many_as_the_classes(tmp_path: Path) -> None:
    folder = tiny.colours(tmp_path)
    (folder / "labels.txt").write_text("Red\nGreen\nBlue\n")
    OnnxModel.open(folder)
    (folder / "labels.txt").write_text("Red\nGreen\n")
    with pytest.raises(CannotServe, match="2 labels"):
        OnnxModel.open(folder)


@pytest.mark.parametrize("damage", ["", "garbage", "half"])
def test_a_damaged_model_cannot_be_served(tmp_path: Path, damage: str) -> None:
    path = tiny.colours(tmp_path) / "model.onnx"
    whole = path.read_bytes()
    path.write_bytes({"": b"", "garbage": b"\x99" * 500, "half": whole[: len(whole) // 2]}[damage])
    with pytest.raises(CannotServe, match=r"model\.onnx"):
        OnnxModel.open(tmp_path)


def test_data_outside_the_package_is_not_loaded(tmp_path: Path) -> None:
    # Given a model whose weights are said to lie one folder up
    (tmp_path / "secret.bin").write_bytes(np.ones(2, np.float32).tobytes())
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "../secret.bin", "length": "8"}.items():
        weights.external_data.add(key=key, value=value)
    row = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [row], [out], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "model.onnx").write_bytes(model.SerializeToString())
    # Then it cannot be served
    with pytest.raises(CannotServe):
        OnnxModel.open(tmp_path / "package")


def test_requests_run_together_only_where_it_is_said(tmp_path: Path) -> None:
    folder = tiny.halves(tmp_path)
    assert OnnxModel.open(folder).at_once == 1
    model = OnnxModel.open(folder, {"ALIGHT_AT_ONCE": "8"})
    assert model.at_once == 8
    for wrong in ("0", "257", "many", "-1"):
        with pytest.raises(CannotServe, match="ALIGHT_AT_ONCE is"):
            OnnxModel.open(folder, {"ALIGHT_AT_ONCE": wrong})
    # A model with a fixed number of rows never does, nor does one with several outputs
    row: Any = (TensorProto.FLOAT, [1, 2])
    tiny.save(tmp_path / "model.onnx", [helper.make_node("Abs", ["x"], ["y"])], {"x": row}, {"y": row})
    assert OnnxModel.open(folder, {"ALIGHT_AT_ONCE": "8"}).at_once == 1
    row = (TensorProto.FLOAT, ["N", 2])
    nodes = [helper.make_node("Abs", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    tiny.save(tmp_path / "model.onnx", nodes, {"x": row}, {"y": row, "z": row})
    assert OnnxModel.open(folder, {"ALIGHT_AT_ONCE": "8"}).at_once == 1


def test_rows_that_run_together_are_answered_each(tmp_path: Path) -> None:
    model = OnnxModel.open(tiny.halves(tmp_path), {"ALIGHT_AT_ONCE": "8"})
    runs: list[int] = []
    session = model._session

    class Counting:
        def run(self, outputs: Any, feeds: Any) -> Any:
            runs.append(len(feeds["x"]))
            return session.run(outputs, feeds)

    model._session = Counting()
    bodies = [b"[[2, 4]]", b"[[6, 8], [1, 3]]", b"[1, 2, 3]", b"[[0, 1]]", b"[10, 20]"]
    good, wide, _, bad, row = model.answer_many([Request(body, "application/json", None) for body in bodies])
    assert [reply.body for reply in (good, wide, row) if isinstance(reply, Reply)] == [
        b"[[1.0, 2.0]]",
        b"[[3.0, 4.0], [0.5, 1.5]]",
        b"[[5.0, 10.0]]",
    ]
    # The one whose answer is no number made the joint run fail, and failed alone in the second
    assert isinstance(bad, Refusal)
    assert "NaN" in bad.message
    assert runs == [5, 1, 2, 1, 1, 1]

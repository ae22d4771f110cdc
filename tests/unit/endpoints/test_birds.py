"""The demo's model and pictures: what they answer, by both ways, and that all kinds of twins answer the same."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from alight.endpoints.artifact import unpack
from alight.endpoints.contract import Request
from alight.endpoints.models.onnx import OnnxModel
from alight.endpoints.models.pictures import read_labels
from alight.endpoints.models.script import ScriptModel
from alight.endpoints.server import Endpoints
from tests.unit.endpoints.conftest import BIRDS, one

THRESHOLD = 0.70
PICTURES = {
    "duck": "Drake",
    "flamingo": "Flamingo",
    "king-penguin": "King Penguin",
    "magpie": "Magpie",
    "toucan": "Toucan",
    "vulture": "Vulture",
}
UNSURE = {"magpie"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's package, unpacked once."""
    return asyncio.run(unpack(BIRDS / "model.tar.gz", tmp_path_factory.mktemp("store"))).dir


@pytest.fixture(scope="module")
def model(folder: Path) -> OnnxModel:
    return OnnxModel.open(folder)


def picture(name: str) -> bytes:
    return (BIRDS / "pictures" / f"{name}.jpg").read_bytes()


def classify(model: OnnxModel | ScriptModel, body: bytes) -> Any:
    headers = {"Content-Type": "application/x-image"}
    reply = model.answer(Request(body, "application/x-image", "*/*", headers))
    assert reply.status == 200
    assert reply.content_type == "application/json"
    return np.array(json.loads(reply.body))


def test_there_are_fifty_nine_birds(folder: Path) -> None:
    labels = read_labels(folder)
    assert len(labels) == len(set(labels)) == 59
    assert {"Rooster", "Great Grey Owl", "Black Grouse", "Black Swan", "White Stork", "Albatross"} <= set(labels)
    assert labels == (BIRDS / "model" / "labels.txt").read_text().splitlines()


def test_the_archive_holds_what_lies_beside_it(folder: Path) -> None:
    for name in ("labels.txt", "preprocess.json", "code/inference.py", "LICENSE"):
        assert (folder / name).read_bytes() == (BIRDS / "model" / name).read_bytes()


def test_every_picture_of_the_demo_is_known() -> None:
    assert {path.stem for path in (BIRDS / "pictures").glob("*.jpg")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_is_named_with_the_certainty_of_its_message(folder: Path, model: OnnxModel, name: str) -> None:
    probabilities = classify(model, picture(name))
    assert probabilities.shape == (59,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert read_labels(folder)[probabilities.argmax()] == PICTURES[name]
    assert bool(probabilities.max() > THRESHOLD) is (name not in UNSURE)


@pytest.fixture(scope="module")
def scripted(folder: Path) -> ScriptModel:
    return ScriptModel.open(folder, {})


@pytest.mark.parametrize("name", PICTURES)
def test_the_script_gives_the_same_answer(model: OnnxModel, scripted: ScriptModel, name: str) -> None:
    assert (classify(scripted, picture(name)) == classify(model, picture(name))).all()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif)


def with_alpha(image: Image.Image) -> bytes:
    over = image.convert("RGBA")
    over.paste((255, 0, 0, 0), (0, 0, 60, over.height))
    return encoded(over, "PNG")


TWINS: dict[str, Callable[[Image.Image], bytes]] = {
    "png": lambda image: encoded(image, "PNG"),
    "webp": lambda image: encoded(image, "WEBP", quality=90),
    "turned": turned,
    "cmyk": lambda image: encoded(image.convert("CMYK"), "JPEG", quality=90),
    "palette": lambda image: encoded(image.quantize(256), "PNG"),
    "alpha": with_alpha,
    "large": lambda image: encoded(image.resize((2560, 1920)), "JPEG", quality=85),
    "small": lambda image: encoded(image.resize((640, 480)), "JPEG", quality=85),
}


@pytest.mark.parametrize("twin", TWINS)
def test_a_twin_has_the_same_bird_by_both_ways(model: OnnxModel, scripted: ScriptModel, twin: str) -> None:
    for name in ("king-penguin", "flamingo"):
        with Image.open(io.BytesIO(picture(name))) as image:
            body = TWINS[twin](image)
        answer = classify(model, body)
        assert answer.argmax() == classify(model, picture(name)).argmax()
        assert (classify(scripted, body) == answer).all()


def test_sixteen_bits_of_grey_have_the_bird_of_eight(model: OnnxModel, scripted: ScriptModel) -> None:
    with Image.open(io.BytesIO(picture("king-penguin"))) as image:
        grey = image.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    answer = classify(model, encoded(wide, "PNG"))
    assert (answer == classify(model, encoded(grey, "PNG"))).all()
    assert (answer == classify(scripted, encoded(wide, "PNG"))).all()


SHARED = Path(__file__).resolve().parents[4] / "shared" / "models" / "efficientnet-lite0.onnx"


@pytest.mark.skipif(not SHARED.exists(), reason="the full model is not here")
def test_it_is_the_full_model_renormalised(folder: Path) -> None:
    birds = [*range(7, 25), *range(80, 101), *range(127, 147)]
    full, ours = (onnxruntime.InferenceSession(str(path)) for path in (SHARED, folder / "model.onnx"))
    pixels = np.random.default_rng(7).normal(0, 0.5, (4, 3, 224, 224)).astype(np.float32)
    wanted = full.run(None, {"input": pixels})[0][:, birds]
    wanted = wanted / wanted.sum(axis=1, keepdims=True)
    assert np.abs(ours.run(None, {"input": pixels})[0] - wanted).max() < 1e-4


async def test_the_endpoint_gives_what_the_model_gives(endpoints: Endpoints, folder: Path, model: OnnxModel) -> None:
    await endpoints.deploy(one(folder, ALIGHT_MODEL_FORMAT="onnx"))
    for name in PICTURES:
        answer = await endpoints.invoke("endpoint", picture(name), content_type="application/x-image", accept=None)
        assert (np.array(json.loads(answer.body)) == classify(model, picture(name))).all()

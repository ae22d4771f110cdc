"""What every peer does with a picture: the decode, the model and the words of the birds example, in its own process.

Runs in the peers' own venvs: numpy, Pillow and ONNX Runtime. With SCALED=1 in the environment the JPEG decoder is told
to give no more pixels than are needed, as Alight's is; without, the picture is decoded as `Image.open` does it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

SIDE, CENTRE, DRAFT = 224, 224 / 256, 320


class Classifier:
    """The model of a folder, read once; asked from any number of threads."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._labels = (folder / "labels.txt").read_text().splitlines()
        self._scaled = os.environ.get("SCALED") == "1"

    def scores(self, body: bytes) -> Any:
        return self._session.run(None, {self._session.get_inputs()[0].name: pixels(body, self._scaled)})[0][0]

    def message(self, key: str, body: bytes) -> str:
        scores = self.scores(body)
        best = int(np.argmax(scores))
        return f"Bird [{key}] is a: {self._labels[best]}({scores[best]:.2f})"


def pixels(body: bytes, scaled: bool) -> Any:
    image = Image.open(io.BytesIO(body))
    if scaled:
        image.draft("RGB", (DRAFT, DRAFT))
    image = image.convert("RGB")
    side = int(CENTRE * min(image.size))
    left, top = (image.width - side + 1) // 2, (image.height - side + 1) // 2
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return ((np.asarray(image, np.float32) - 127) / 128).transpose(2, 0, 1)[None]

"""mosec's JSON service: `{"text": ...}` in, `{"p": ...}` out. The trees are run by ONNX Runtime, which is the fastest.

With `--convert XGBOOST_MODEL` it writes MODEL, the same trees for ONNX Runtime, and ends.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from mosec import Server, Worker

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "sentiment" / "src"
sys.path.insert(0, str(SOURCE))
from words import bow_encoding, review_to_words  # noqa: E402  (the example's own)


class Texts(Worker):  # type: ignore[misc]
    """One process of it."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
        self._vocabulary = json.loads((SOURCE / "vocabulary.json").read_text(encoding="utf-8"))

    def forward(self, data: dict[str, str]) -> dict[str, float]:
        row = np.zeros((1, len(self._vocabulary)), np.float32)
        for column, number in bow_encoding(review_to_words(data["text"]), self._vocabulary).items():
            row[0, column] = number
        return {"p": float(self._session.run(["probabilities"], {"input": row})[0][0, 1])}


def convert(model: Path) -> None:
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster: Any = xgboost.Booster()
    booster.load_model(model)
    # The converter knows columns by numbers only.
    booster.feature_names = None
    kind = [("input", FloatTensorType([None, booster.num_features()]))]
    Path(os.environ["MODEL"]).write_bytes(onnxmltools.convert_xgboost(booster, initial_types=kind).SerializeToString())


if __name__ == "__main__":
    if "--convert" in sys.argv:
        convert(Path(sys.argv[2]))
    else:
        server = Server()
        server.append_worker(Texts, num=os.cpu_count() or 1)
        server.run()

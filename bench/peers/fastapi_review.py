"""What one would write by hand: FastAPI with handler and model in one process.

It answers the same question as the example's API and has nothing else: no endpoint, no function, no permissions, no
story. For `uvicorn --factory fastapi_review:service`. Annotations are not postponed here: FastAPI reads them, and
cannot look up a function's own names.
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sentiment"


def service() -> Any:
    import numpy as np
    import xgboost
    from fastapi import FastAPI, Request, Response

    sys.path.insert(0, str(EXAMPLE / "src"))
    from words import bow_encoding, review_to_words

    vocabulary = json.loads((EXAMPLE / "src" / "vocabulary.json").read_text(encoding="utf-8"))
    booster = xgboost.Booster({"nthread": 1})
    with tarfile.open(EXAMPLE / "model.tar.gz") as tar:
        file = tar.extractfile("xgboost-model")
        assert file is not None
        booster.load_model(bytearray(file.read()))
    app = FastAPI()

    @app.post("/")
    async def judge(request: Request) -> Response:
        review = (await request.body()).decode()
        row = np.zeros((1, len(vocabulary)), np.float32)
        for column, number in bow_encoding(review_to_words(review), vocabulary).items():
            row[0, column] = number
        # Shorter than a change of threads, so it is asked where it stands.
        answer = str(round(float(booster.inplace_predict(row)[0])))
        return Response(answer, media_type="text/plain", headers={"Access-Control-Allow-Origin": "*"})

    return app

"""A bare server for the handler that is looped: uvicorn and XGBoost, a row of CSV in, the number out.

Argument: a port.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
import xgboost

ARCHIVE = Path(__file__).resolve().parents[2] / "examples" / "sentiment" / "model.tar.gz"


def application() -> Any:
    booster = xgboost.Booster({"nthread": 1})
    with tarfile.open(ARCHIVE) as tar:
        file = tar.extractfile("xgboost-model")
        assert file is not None
        booster.load_model(bytearray(file.read()))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        row = np.fromstring(body.decode(), np.float32, sep=",").reshape(1, -1)
        answer = str(float(booster.inplace_predict(row)[0])).encode()
        headers = [(b"content-type", b"text/csv"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(application(), port=port, log_level="error", loop="uvloop", http="httptools", lifespan="off")

"""What one would write by hand: FastAPI with the model inside, one process for each core, in a venv of its own.

It answers the same question as the example's API and has nothing else: no endpoint, no function, no permissions, no
story. Run as a module of uvicorn it is the service; imported, it starts one. Annotations are not postponed here:
FastAPI reads them, and cannot look up a function's own names.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "sentiment"
VENV = HERE.parents[1] / ".venv-bench" / "fastapi"
REQUIREMENTS = ["fastapi==0.139.2", "uvicorn[standard]==0.54.0", "xgboost-cpu>=3,<4", "numpy>=2,<3"]


def service() -> Any:
    """The app, for `uvicorn --factory peer_fastapi:service`."""
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

    @app.post("/prod")
    async def judge(request: Request) -> Response:
        review = (await request.body()).decode()
        row = np.zeros((1, len(vocabulary)), np.float32)
        for column, number in bow_encoding(review_to_words(review), vocabulary).items():
            row[0, column] = number
        # Shorter than a change of threads, so it is asked where it stands.
        answer = str(round(float(booster.inplace_predict(row)[0])))
        return Response(answer, media_type="text/plain", headers={"Access-Control-Allow-Origin": "*"})

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def install() -> None:
    """A venv of its own, once."""
    if (VENV / "done").exists():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    (VENV / "done").touch()


def version() -> str:
    words = "from importlib.metadata import version as v; print(v('fastapi'), 'on uvicorn', v('uvicorn'))"
    return subprocess.run(
        [VENV / "bin" / "python", "-c", words], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of its API."""
    install()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [VENV / "bin" / "uvicorn", "--factory", "peer_fastapi:service", "--port", str(port), "--no-access-log"]
    with (folder / "fastapi.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--workers", str(os.cpu_count() or 1)],
            cwd=HERE, stdout=log, stderr=log, start_new_session=True, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise TimeoutError((folder / "fastapi.log").read_text()) from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/prod"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

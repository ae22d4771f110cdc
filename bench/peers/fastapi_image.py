"""FastAPI with the model inside and as many threads as cores: a picture in, its scores out.

For `uvicorn --factory fastapi_image:service`, with MODEL in the environment. Annotations are not postponed here:
FastAPI reads them, and cannot look up a function's own names.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from classify import Classifier
from fastapi import FastAPI, Request


def service() -> Any:
    classifier, threads = Classifier(Path(os.environ["MODEL"])), ThreadPoolExecutor(os.cpu_count() or 1)
    app = FastAPI()

    def scores(body: bytes) -> list[float]:
        found: list[float] = classifier.scores(body).tolist()
        return found

    @app.post("/")
    async def answer(request: Request) -> list[float]:
        return await asyncio.get_running_loop().run_in_executor(threads, scores, await request.body())

    return app

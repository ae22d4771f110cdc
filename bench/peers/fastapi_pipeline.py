"""What one would write by hand: FastAPI takes a picture, writes it, and two threads classify and tell. Keeps nothing.

For `uvicorn --factory fastapi_pipeline:service`, with MODEL, FOLDER and TELL in the environment. Annotations are not
postponed here: FastAPI reads them, and cannot look up a function's own names.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from classify import Classifier
from fastapi import FastAPI, Request
from telling import tell


def service() -> Any:
    classifier, folder, url = Classifier(Path(os.environ["MODEL"])), Path(os.environ["FOLDER"]), os.environ["TELL"]
    threads, app = ThreadPoolExecutor(os.cpu_count() or 1), FastAPI()

    def work(key: str, path: Path) -> None:
        tell(url, classifier.message(key, path.read_bytes()))

    @app.put("/{key:path}")
    async def put(key: str, request: Request) -> dict[str, bool]:
        path = folder / key.replace("/", "_")
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(await request.body())
        unfinished.rename(path)
        threads.submit(work, key, path)
        return {"ok": True}

    @app.get("/")
    async def health() -> dict[str, bool]:
        return {"ok": True}

    return app

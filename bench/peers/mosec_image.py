"""mosec: as many processes as cores, a picture in, its scores out. MODEL in the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

from classify import Classifier
from mosec import Server, Worker


class Pictures(Worker):  # type: ignore[misc]
    """One process of it."""

    def __init__(self) -> None:
        self._classifier = Classifier(Path(os.environ["MODEL"]))

    def deserialize(self, data: bytes) -> bytes:
        return data

    def serialize(self, data: list[float]) -> bytes:
        return json.dumps(data).encode()

    def forward(self, data: bytes) -> list[float]:
        found: list[float] = self._classifier.scores(data).tolist()
        return found


if __name__ == "__main__":
    server = Server()
    server.append_worker(Pictures, num=os.cpu_count() or 1)
    server.run()

"""The worker's side of watchdog + Celery + Redis: a task for each picture.

MODEL, TELL and BROKER in the environment.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from celery import Celery
from classify import Classifier
from telling import tell

app = Celery("birds", broker=os.environ["BROKER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=4)


@cache
def classifier() -> Classifier:
    """In each worker process once, at its first picture."""
    return Classifier(Path(os.environ["MODEL"]))


@app.task(name="classify")
def classify(key: str, path: str) -> None:
    tell(os.environ["TELL"], classifier().message(key, Path(path).read_bytes()))

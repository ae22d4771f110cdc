"""The sentiment example on a running instance, with its site in the website bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.cli.demos.sentiment import upload
from tests.reviews import EXAMPLE
from tests.support import Instance, start_alight, sweep


@dataclass(frozen=True)
class Sentiments:
    """The app, and what its template puts out."""

    instance: Instance
    outputs: Mapping[str, Any]

    @property
    def api(self) -> str:
        return str(self.outputs["ApiUrl"])

    @property
    def page(self) -> str:
        return str(self.outputs["WebsiteUrl"])


@contextmanager
def sentiments(folder: Path) -> Iterator[Sentiments]:
    """`alight up examples/sentiment`; the site is put as `alight demo` puts it."""
    instance = start_alight(folder / "data", EXAMPLE, timeout=60)
    try:
        made = Sentiments(instance, instance.json("outputs"))
        upload(instance.client("s3"), made.outputs["BucketName"], EXAMPLE / "site", made.api)
        yield made
    finally:
        instance.stop()
        sweep(instance.process)

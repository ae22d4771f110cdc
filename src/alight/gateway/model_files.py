"""botocore's model files without what is there for people: a tenth of the runtime's memory, and half of the reading.

The documentation goes while the file is parsed, references to one shape are one dictionary, and of the services only
ours are looked for; botocore lists the folders of all four hundred. What many may share is not written into: another
dictionary is set in its place (`sqs_query`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader


class Slim:
    """Makes of each parsed dictionary what is kept of it."""

    def __init__(self) -> None:
        self._references: dict[str, dict[str, Any]] = {}

    def __call__(self, found: dict[str, Any]) -> dict[str, Any]:
        found.pop("documentation", None)
        if len(found) == 1 and isinstance(name := found.get("shape"), str):
            return self._references.setdefault(name, found)
        return found


class Files(JSONFileLoader):  # type: ignore[misc]
    """botocore's reader of files, which asks for `PATH.json` or `PATH.json.gz`."""

    def load_file(self, file_path: str) -> dict[str, Any] | None:
        for path, opened in ((Path(f"{file_path}.json"), open), (Path(f"{file_path}.json.gz"), gzip.open)):
            if path.is_file():
                with opened(path, "rb") as file:
                    return dict(json.loads(file.read(), object_hook=Slim()))
        return None


class Models(Loader):  # type: ignore[misc]
    """botocore's loader, for these services."""

    def __init__(self, services: Sequence[str]) -> None:
        super().__init__(file_loader=Files())
        self._offered = list(services)

    def list_available_services(self, type_name: str) -> list[str]:
        return self._offered

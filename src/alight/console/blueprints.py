"""Functions to begin with: the code of the examples that come with Alight, as a package to upload."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HANDLER = """import json


def lambda_handler(event, context):
    print(json.dumps(event))
    return "hello"
"""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """`folder` below the examples holds its code; empty for the one that is spelled here."""

    name: str
    about: str
    handler: str
    folder: str = ""
    variables: tuple[str, ...] = ()


BLUEPRINTS: tuple[Blueprint, ...] = (
    Blueprint("hello-world-python3", "Prints its event and says hello.", "lambda_function.lambda_handler"),
    Blueprint(
        "birds",
        "Asks an endpoint about each new picture and tells a topic.",
        "app.handler",
        "birds/src",
        ("SAGEMAKER_ENDPOINT_NAME", "SNS_TOPIC_ARN"),
    ),
    Blueprint(
        "sentiment",
        "Says of a film review whether it is positive: for an HTTP API.",
        "app.handler",
        "sentiment/src",
        ("SAGEMAKER_ENDPOINT_NAME",),
    ),
    Blueprint("s3-thumbnail", "Makes a small copy of each new picture.", "app.handler", "s3-thumbnail/src"),
    Blueprint("sqs-batch", "Works off a queue's messages in batches.", "app.handler", "sqs-batch/src"),
)


def package_of(blueprint: Blueprint) -> bytes:
    """Its code as a zip file."""
    files = {"lambda_function.py": HANDLER.encode()} if not blueprint.folder else _files(blueprint.folder)
    return packed(files)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Files by their names as a zip file; equal files give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _files(folder: str) -> dict[str, bytes]:
    package = Path(__file__).resolve().parents[1]
    places = (package / "examples", package.parents[1] / "examples")
    return files_in(next(place for place in places if place.is_dir()) / folder)

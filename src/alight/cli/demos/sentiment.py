"""`alight demo sentiment`: a page that anybody may open, and an answer to what is written on it.

The site's files go into the website bucket by boto3, with a `config.js` that tells the page where the API is. Then two
reviews are posted to the public API, with no key, as the page would post them.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alight.cli.demos.stage import PAUSE, Stage, tell
from alight.errors import AlightError

#: What serves the model; an extra of the package.
NEEDED = "xgboost"
ANSWER_LIMIT = 60.0
#: Seconds for one answer: as long as the API waits for its function.
PATIENCE = 30.0
REVIEWS = {
    "A beautifully acted, moving and funny film with a wonderful cast; one of the best of the year.": "POSITIVE",
    "A dull, predictable mess: the plot is bad, the jokes are lame and the acting is worse.": "NEGATIVE",
}
LABELS = {"1": "POSITIVE", "0": "NEGATIVE"}
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Sentiment:
    """The site is put into its bucket; a good and a bad review are answered."""

    def check(self, folder: Path) -> None:
        if importlib.util.find_spec(NEEDED) is None:
            raise AlightError(
                f"The model of this example needs {NEEDED}, which is not installed.",
                "Install it: pip install 'alight[xgboost]'",
            )
        if not (folder / "site" / "index.html").is_file():
            raise AlightError(f"{folder} holds no site/index.html.", "Start from the example: alight init sentiment")

    def run(self, stage: Stage) -> bool:
        task = stage.progress.add_task("Starting Alight", total=len(REVIEWS))
        outputs = stage.open().get("outputs")
        api = str(outputs["ApiUrl"])
        upload(stage.client("s3"), str(outputs["BucketName"]), stage.folder / "site", api)
        tell(f"Page     {outputs['WebsiteUrl']}")
        tell(f"Reviews  curl -H 'Content-Type: text/plain' --data-raw 'What a wonderful film' {shlex.quote(api)}\n")
        stage.progress.update(task, description="Waiting for answers")
        limit = stage.clock.monotonic() + ANSWER_LIMIT
        for review, expected in REVIEWS.items():
            answer = self._ask(stage, api, review, limit)
            label = LABELS.get(answer)
            if label != expected:
                stage.complain(f"{expected} was expected for {review!r}, not {label or repr(answer)}.")
                return False
            tell(f"{label}  {review}")
            stage.progress.advance(task)
        return True

    def stay(self, stage: Stage) -> None:
        """Nothing more to show here: the page shows it."""
        tell("\nOpen the page and write a review of your own; Ctrl-C stops.")
        while not stage.runtime.has_stopped():
            time.sleep(PAUSE * 10)

    def _ask(self, stage: Stage, api: str, review: str, limit: float) -> str:
        """The answer to one review, asked again while there is none; the last complaint where the time is over."""
        while True:
            status, answer = post(api, review)
            if status == 200:
                return answer
            if stage.clock.monotonic() > limit or stage.runtime.has_stopped():
                return f"{status} {answer}"
            time.sleep(PAUSE)


def upload(client: Any, bucket: str, site: Path, api: str) -> None:
    """Put the site's files under their names, each with its type, and `config.js` with the API's address."""
    files = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    files["config.js"] = f"window.SENTIMENT_API = {json.dumps(api)};\n".encode()
    for name, content in files.items():
        kind = CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")
        client.put_object(Bucket=bucket, Key=name, Body=content, ContentType=kind)


def post(url: str, review: str) -> tuple[int, str]:
    """Status and body of what the API answers; status 0 where nobody answers."""
    address = urlsplit(url)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.netloc, timeout=PATIENCE)
    try:
        connection.request("POST", address.path or "/", review.encode(), {"Content-Type": "text/plain;charset=UTF-8"})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()

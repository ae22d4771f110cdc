"""The film-review snippets: fetched with pip, read from the source package, never kept beside the example.

The source package of `vaderSentiment` 3.3.2 carries the data of the paper behind it (Hutto and Gilbert, ICWSM 2014),
in it 10,605 sentences of film reviews with a rating from -4 to 4 each. Whose the sentences are is not said there, so
they are used to train and are not copied.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "vaderSentiment==3.3.2"
#: Of the source package; pip refuses any other before it looks into it.
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER, TABLE = "hutto_ICWSM_2014.tar.gz", "movieReviewSnippets_GroundTruth.txt"
COUNT = 10_605


@dataclass(frozen=True, slots=True)
class Snippet:
    """One sentence; `positive` where its mean rating is above 0."""

    text: str
    positive: bool


def fetch() -> bytes:
    """The table of snippets out of the source package, by pip.

    pip compares the hash, then has the package's `setup.py` tell its metadata, as it does for every source package.
    With the hash pinned that is a known file, which reads its README and calls `setup()`. No dependency is fetched; the
    build tools are those of this environment where it has them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--require-hashes", "--requirement", str(wanted), "--dest", str(folder)]
        if importlib.util.find_spec("setuptools") is not None:
            command.append("--no-build-isolation")
        subprocess.run(command, check=True)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as outer:
            inner = _member(outer, INNER)
    with tarfile.open(fileobj=io.BytesIO(inner)) as data:
        return _member(data, TABLE)


def parse(table: bytes) -> list[Snippet]:
    """Lines of id, rating and text, separated by tabs. Raises ValueError where it is another table."""
    lines = [line.split("\t", 2) for line in table.decode("utf-8").split("\n") if line.strip()]
    if len(lines) != COUNT or any(len(line) != 3 for line in lines):
        raise ValueError(
            f"This is not the table of {COUNT:,} snippets (id, rating, text): it has {len(lines):,} lines."
        )
    return [Snippet(text.strip(), float(rating) > 0) for _, rating, text in lines]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    for member in archive:
        if member.isfile() and Path(member.name).name == name:
            file = archive.extractfile(member)
            assert file is not None
            return file.read()
    raise ValueError(f"The archive holds no {name}.")

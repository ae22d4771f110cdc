"""Whoever reads a slow replay or redrive through a pipe sees each line as it is made."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from alight.cli.replay import show_redrive, show_replay

LINES: list[dict[str, Any]] = [{"matched": 2}, {"told": 1}, {"told": 2}]


@pytest.mark.parametrize(
    "show", [partial(show_replay, as_json=True, dry_run=False), partial(show_redrive, as_json=True)]
)
def test_each_line_has_left_before_the_next_is_made(
    show: Callable[[Iterator[Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))
    read = []

    def slowly() -> Iterator[Any]:
        for line in LINES:
            yield line
            read.append([json.loads(text) for text in pipe.getvalue().splitlines()])

    show(slowly())
    assert read == [LINES[:1], LINES[:2], LINES]

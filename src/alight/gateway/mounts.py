"""What is no AWS operation: ASGI apps under a path prefix or a second host label, which answer for themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import commonprefix

from alight.asgi import ASGIApp

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class Mount:
    """An ASGI app under a path prefix (or a second host label); `any_origin` lets pages of other origins write,
    `reads_whole` says that it holds a request's body as a whole, which counts for the load."""

    app: ASGIApp
    any_origin: bool = False
    reads_whole: bool = False


class Mounts:
    """`given` maps `/prefix/` or a host label to an app."""

    def __init__(self, given: Mapping[str, Mount | ASGIApp]) -> None:
        made = {place: app if isinstance(app, Mount) else Mount(app) for place, app in given.items()}
        self._labels = {place: mount for place, mount in made.items() if place[0] != "/"}
        self._paths = [(place, place.rstrip("/"), mount) for place, mount in made.items() if place[0] == "/"]
        # Most requests are for none of them.
        self._beginning = commonprefix([bare for _, bare, _ in self._paths])

    def find(self, labels: str, path: str) -> tuple[Mount | None, str]:
        """By Host (`NAME.LABEL` or `NAME.LABEL.REGION` before our own name; NAME may have dots), with the name, or by
        path where the Host has no further `labels`."""
        if labels:
            steps = labels.split(".")
            if len(steps) > 2 and _REGION.fullmatch(steps[-1]):
                steps.pop()
            mount = self._labels.get(steps[-1]) if len(steps) > 1 else None
            return mount, ".".join(steps[:-1]) if mount else ""
        if path.startswith(self._beginning):
            for prefix, bare, mount in self._paths:
                if path.startswith(prefix) or path == bare:
                    return mount, ""
        return None, ""

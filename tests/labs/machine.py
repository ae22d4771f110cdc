"""A student's machine: one folder, one address, and one runtime at a time, which may be ended and started anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support import Instance, Start, steady_port

#: How a runtime ends: `Instance.stop` or `Instance.kill`.
End = Callable[[Instance], object]


class Machine:
    """Where the lab is done. `instance` is the runtime that is there now."""

    def __init__(self, start: Start, data: Path, **settings: str) -> None:
        self._start, self._data, self._port = start, data, steady_port()
        # The lab's function has Lambda's default of 3 seconds, which may be too few where much else is running.
        self._settings = {"ALIGHT_RETRY_DELAYS": "0.5,1,2,4,8", **settings}
        self.instance = self._begin()

    def _begin(self) -> Instance:
        return self._start(data=self._data, port=self._port, timeout=60, **self._settings)

    def again(self, end: End) -> None:
        end(self.instance)
        self.instance = self._begin()

"""The runtime's own log, on stderr: what it says there holds names that somebody else chose.

So each record is one line, control characters are shown and not obeyed, and what goes on (a traceback, the rest of an
error) is set in: nothing that is stored or sent can look like a record, or drive the terminal of who reads it.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TextIO

from alight.harmless import line

#: Below a warning, these tell the addresses that they ask and are asked, with the keys in them.
TALKATIVE = ("aiohttp", "apprise", "asyncio", "botocore", "urllib3", "uvicorn")

#: Before each line that is not the first one of what is said.
INDENT = "    "


class OneLine(logging.Formatter):
    """When, how bad, who, what: on one line. Tracebacks follow, set in."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return line(super().formatMessage(record))

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return _set_in(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _set_in(super().formatStack(stack_info))


def begin_log(stream: TextIO | None = None) -> None:
    """Log warnings and worse to `stream` (stderr)."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def say(text: str) -> None:
    """A line to the people at the terminal; stdout belongs to the ready line. What has several lines is set in."""
    sys.stderr.write(_set_in(text).removeprefix(INDENT) + "\n")
    sys.stderr.flush()


def _set_in(text: str) -> str:
    return "\n".join(f"{INDENT}{line(each)}" for each in text.split("\n"))

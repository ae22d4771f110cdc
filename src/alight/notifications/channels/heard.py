"""What a gateway did with a text, heard from what apprise's plugin logs about it: apprise itself says only yes or no.

A plugin logs its warning where it catches the error, so the error itself, not only its name, is there to be judged.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import sys
from collections.abc import Iterator

from alight.notifications.policy import Failed

#: The status in the words that all plugins share. Some put the gateway's own number there, which is greater.
_STATUS = re.compile(r"\berror=(\d+)")

#: urllib3's errors of a connection that was not made, so nothing was sent; and those below it, for other libraries.
_UNCONNECTED_NAMES = {"NewConnectionError", "ConnectTimeoutError"}
_UNCONNECTED = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)


class Heard(logging.Handler):
    """Listens to the plugins of one call by the logger that it gives them: others send at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.logger = logging.Logger("alight.sms", logging.WARNING)
        self.logger.addHandler(self)
        self._last = "no reason given"
        # Whether any attempt may have brought the text; the first that says nothing counts as one that may.
        self._certain: list[bool] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        error = sys.exc_info()[1]
        self._last = text if error is None else f"{text} ({type(error).__name__})"
        self._certain.append(_was_refused(text) if error is None else _never_connected(error))

    def failure(self) -> Failed:
        """For a call that failed. Only a clear no, or no connection at all, means that the text has not arrived."""
        if self._certain and all(self._certain):
            return Failed(f"the SMS gateway has not taken the text: {self._last}")
        return Failed(f"the SMS gateway may have taken the text: {self._last}", uncertain=True)


def _was_refused(text: str) -> bool:
    found = _STATUS.search(text)
    return found is not None and int(found[1]) >= 400


def _never_connected(error: BaseException) -> bool:
    return any(
        isinstance(cause, _UNCONNECTED) or type(cause).__name__ in _UNCONNECTED_NAMES for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

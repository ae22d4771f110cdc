"""To a phone, by any gateway that apprise knows (the extra `sms`). apprise is synchronous, so it runs in a thread."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
from urllib.parse import quote

from alight.notifications.envelope import sms_text
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed

HELD = "no SMS gateway configured: set ALIGHT_SMS_URL"
HELD_WITHOUT_EXTRA = "SMS gateways need the extra `sms`: pip install 'alight[sms]'"

#: Letters of one text that SNS sends at most.
MOST_LETTERS = 1_600

DEADLINE = 60.0

PLACEHOLDER = "{phone}"

_PHONE = re.compile(r"^\+[1-9][0-9]{4,14}$")


def is_phone_number(text: str) -> bool:
    """E.164, as SNS wants it."""
    return _PHONE.fullmatch(text) is not None


def held_reason(url: str) -> str | None:
    """Why texts cannot leave, or None where they can."""
    if not url:
        return HELD
    return None if importlib.util.find_spec("apprise") else HELD_WITHOUT_EXTRA


class SmsChannel:
    """`url` is a gateway in apprise's notation; `{phone}` in it stands for the number."""

    def __init__(self, url: str, deadline: float = DEADLINE) -> None:
        self._url = url
        self._deadline = deadline

    async def send(self, outgoing: Outgoing) -> None:
        text = sms_text(outgoing.message, outgoing.topic)
        if len(text) > MOST_LETTERS:
            raise Failed(f"longer than {MOST_LETTERS} letters", permanent=True)
        url = self._url.replace(PLACEHOLDER, quote(outgoing.delivery.target, safe=""))
        try:
            async with asyncio.timeout(self._deadline):
                problem = await asyncio.to_thread(_notify, url, text)
        except TimeoutError as error:
            raise Failed(f"the SMS gateway did not answer within {self._deadline:g} s", uncertain=True) from error
        if problem is not None:
            raise Failed(problem)


def _notify(url: str, text: str) -> str | None:
    """Send by apprise; what went wrong, in its words."""
    apprise = importlib.import_module("apprise")
    gateway = apprise.Apprise()
    with apprise.LogCapture(level=apprise.logging.WARNING) as captured:
        if not gateway.add(url):
            return "ALIGHT_SMS_URL is not a gateway that apprise knows"
        if gateway.notify(body=text):
            return None
        lines = captured.getvalue().strip().splitlines()
    return f"the SMS gateway refused: {lines[-1] if lines else 'no reason given'}"

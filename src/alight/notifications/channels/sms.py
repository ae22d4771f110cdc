"""To a phone, by any gateway that apprise knows (the extra `sms`). apprise is synchronous, so it runs in a thread."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from alight.notifications.channels.heard import Heard
from alight.notifications.envelope import sms_text
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed

HELD = "no SMS gateway configured: set ALIGHT_SMS_URL"
HELD_WITHOUT_EXTRA = "SMS gateways need the extra `sms`: pip install 'alight[sms]'"

#: Letters of one text that SNS sends at most.
MOST_LETTERS = 1_600

DEADLINE = 60.0

#: Texts that are with the gateway at a time.
THREADS = 8

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
        # Own threads: a gateway that does not answer must not keep everybody else's from theirs.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sms")

    def close(self) -> None:
        """What waits for a thread is given up; nobody waits for those that are with the gateway."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, outgoing: Outgoing) -> None:
        text = sms_text(outgoing.message, outgoing.topic)
        if len(text) > MOST_LETTERS:
            raise Failed(f"longer than {MOST_LETTERS} letters", permanent=True)
        url = self._url.replace(PLACEHOLDER, quote(outgoing.delivery.target, safe=""))
        try:
            async with asyncio.timeout(self._deadline):
                failure = await asyncio.get_running_loop().run_in_executor(self._threads, _notify, url, text)
        except TimeoutError as error:
            raise Failed(f"the SMS gateway did not answer within {self._deadline:g} s", uncertain=True) from error
        if failure is not None:
            raise failure


def _notify(url: str, text: str) -> Failed | None:
    """Send by apprise; what went wrong."""
    gateway = importlib.import_module("apprise").Apprise()
    if not gateway.add(url):
        return Failed("ALIGHT_SMS_URL is not a gateway that apprise knows")
    heard = Heard()
    for service in gateway:
        service.logger = heard.logger
    return None if gateway.notify(body=text) else heard.failure()

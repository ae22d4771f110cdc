"""The account's settings for text messages: those that have a meaning here are kept."""

from __future__ import annotations

import re

from alight.calls import Call, Members
from alight.errors.common import NotImplemented_
from alight.errors.sns import InvalidParameter
from alight.notifications.channels.sms import is_phone_number
from alight.store.records import Records

KIND = "sns:sms"
NAME = "account"

#: What is stored and shown, and what it looks like: empty, or one of two types; up to eleven letters, not digits alone.
_FORMS = {
    "DefaultSMSType": re.compile(r"|Promotional|Transactional"),
    "DefaultSenderID": re.compile(r"|(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}"),
}
_REFUSED = frozenset(
    {"MonthlySpendLimit", "DeliveryStatusIAMRole", "DeliveryStatusSuccessSamplingRate", "UsageReportS3Bucket"}
)


class SmsOperations:
    """GetSMSAttributes and SetSMSAttributes."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def set_sms_attributes(self, call: Call, given: Members) -> Members:
        attributes: dict[str, str] = given["attributes"]
        for name in attributes:
            if name in _REFUSED:
                raise NotImplemented_(f"Alight does not support the SMS attribute {name}.")
            if name not in _FORMS:
                raise InvalidParameter(f"Invalid parameter: {name} is not a valid attribute")
            if not _FORMS[name].fullmatch(attributes[name]):
                raise InvalidParameter(f"Invalid parameter: {name} Reason: {attributes[name]} is not a valid value")
        await self._records.save(KIND, NAME, self._stored() | attributes)
        return {}

    async def get_sms_attributes(self, call: Call, given: Members) -> Members:
        wanted = given.get("attributes")
        stored = self._stored()
        return {"attributes": {name: value for name, value in stored.items() if not wanted or name in wanted}}

    async def check_if_phone_number_is_opted_out(self, call: Call, given: Members) -> Members:
        """Nobody can be: a reply to a text does not come back to us, it is the gateway's business."""
        _phone(given["phoneNumber"])
        return {"isOptedOut": False}

    async def list_phone_numbers_opted_out(self, call: Call, given: Members) -> Members:
        return {"phoneNumbers": []}

    async def opt_in_phone_number(self, call: Call, given: Members) -> Members:
        """As nobody is opted out, everybody is in."""
        _phone(given["phoneNumber"])
        return {}

    def _stored(self) -> dict[str, str]:
        record = self._records.get(KIND, NAME)
        return record.body if record else {}


def _phone(text: str) -> None:
    if not is_phone_number(text):
        raise InvalidParameter(f"Invalid parameter: PhoneNumber Reason: {text} is not valid to publish to")

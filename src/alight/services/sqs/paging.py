"""NextToken: the name behind which the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from alight.errors.sqs import InvalidParameterValue


def read_token(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise InvalidParameterValue("Invalid or expired next token.") from None


def next_token(names: Sequence[str], page: int) -> dict[str, str]:
    """The reply's NextToken, where more than a page was found."""
    if len(names) <= page:
        return {}
    return {"NextToken": base64.urlsafe_b64encode(names[page - 1].encode()).decode()}

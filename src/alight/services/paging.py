"""NextToken: the name behind which the next page begins, in a form that nobody takes for more."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from alight.errors import Fault


def read_token(token: str | None, refusal: Fault) -> str:
    """The name to go on behind, "" for the first page. Raises `refusal` for what is no token of ours."""
    try:
        return base64.b64decode((token or "").encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise refusal from None


def next_token(names: Sequence[str], page: int) -> dict[str, str]:
    """The reply's NextToken, where more than a page was found."""
    if len(names) <= page:
        return {}
    return {"NextToken": base64.urlsafe_b64encode(names[page - 1].encode()).decode()}

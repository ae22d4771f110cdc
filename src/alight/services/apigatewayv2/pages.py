"""Pages of lists, as HTTP APIs give them: `MaxResults` comes as text, `NextToken` says where to go on."""

from __future__ import annotations

from collections.abc import Sequence

from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.services.paging import next_token, read_token

_MOST = 500


def page(items: Sequence[Members], given: Members) -> Members:
    limit = given.get("MaxResults") or str(_MOST)
    refusal = BadRequestException("Invalid NextToken specified")
    start = read_token(given.get("NextToken"), refusal) or "0"
    if not str(limit).isdigit() or int(limit) < 1:
        raise BadRequestException("Invalid MaxResults specified")
    if not start.isdigit():
        raise refusal
    end = int(start) + min(int(limit), _MOST)
    more = next_token([str(end), ""], 1) if end < len(items) else {}
    return {"Items": list(items[int(start) : end])} | more

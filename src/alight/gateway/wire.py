"""The codec's front door: `decode` a request, `encode` a reply, `encode_error` a fault.

The work is in `decode` and `encode`, one small file per format beside them; botocore's models drive all of it.
"""

from __future__ import annotations

from alight.gateway.decode import decode, parse_form
from alight.gateway.encode import Response, encode, encode_error

__all__ = ["Response", "decode", "encode", "encode_error", "parse_form"]

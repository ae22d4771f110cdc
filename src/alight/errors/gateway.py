"""Faults that the gateway itself answers, before a service is asked.

The classes carry S3's codes; the gateway translates the few that other protocols spell differently
(`gateway/dialects.py`).
"""

from __future__ import annotations

from typing import ClassVar

from alight.errors import Fault


class MalformedHost(Fault):
    """The Host header is missing, doubled or not a host."""

    code: ClassVar[str] = "InvalidRequest"
    status = 400


class MisdirectedRequest(Fault):
    """This host name is not served here. Add it to allowed_hosts if it should be."""

    status = 421


class CrossOriginRequest(Fault):
    """A page of another origin may not change anything here."""

    code: ClassVar[str] = "AccessDenied"
    status = 403


class InvalidURI(Fault):
    """Couldn't parse the specified URI."""

    status = 400


class InvalidRequest(Fault):
    """Invalid Request"""

    status = 400


class InvalidArgument(Fault):
    """Invalid Argument"""

    status = 400


class MethodNotAllowed(Fault):
    """The specified method is not allowed against this resource."""

    status = 405


class UnknownOperation(Fault):
    """No operation of this service answers at this address."""

    code: ClassVar[str] = "UnknownOperationException"
    status = 404


class InvalidAction(Fault):
    """The action or operation requested is invalid."""

    status = 400


class MissingAuthentication(Fault):
    """Access Denied: the request is not signed."""

    code: ClassVar[str] = "AccessDenied"
    status = 403


class AuthorizationHeaderMalformed(Fault):
    """The authorization header that you provided is not valid."""

    status = 400


class AuthorizationQueryParametersError(Fault):
    """The authorization query parameters that you provided are not valid."""

    status = 400


class MissingSecurityHeader(Fault):
    """Your request was missing a required header."""

    status = 400


class InvalidAccessKeyId(Fault):
    """The AWS Access Key Id you provided does not exist in our records."""

    status = 403


class ExpiredToken(Fault):
    """The provided token has expired."""

    status = 400


class RequestExpired(Fault):
    """Request has expired"""

    code: ClassVar[str] = "AccessDenied"
    status = 403


class SignatureDoesNotMatch(Fault):
    """The request signature we calculated does not match the signature you provided."""

    status = 403


class RequestTimeTooSkewed(Fault):
    """The difference between the request time and the current time is too large."""

    status = 403


class UnknownPayloadHash(Fault):
    """x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a known STREAMING- value, or a hex sha256."""

    code: ClassVar[str] = "AccessDenied"
    status = 403


class XAmzContentSHA256Mismatch(Fault):
    """The provided 'x-amz-content-sha256' header does not match what was computed."""

    status = 400


class IncompleteBody(Fault):
    """You did not provide the number of bytes specified by the Content-Length HTTP header."""

    status = 400


class MissingContentLength(Fault):
    """You must provide the Content-Length HTTP header."""

    status = 411


class MalformedTrailer(Fault):
    """The request contained trailing data that was not well-formed or did not conform to x-amz-trailer."""

    code: ClassVar[str] = "MalformedTrailerError"
    status = 400


class InvalidChunk(Fault):
    """The aws-chunked body is not well-formed."""

    code: ClassVar[str] = "InvalidChunkSizeError"
    status = 400


class EntityTooLarge(Fault):
    """The request body is larger than this operation accepts."""

    code: ClassVar[str] = "RequestEntityTooLargeException"
    status = 413


class MalformedXML(Fault):
    """The XML you provided was not well-formed or did not validate against our published schema."""

    status = 400


class SerializationException(Fault):
    """The request could not be read."""

    status = 400


class MissingMember(Fault):
    """A required member is missing."""

    code: ClassVar[str] = "ValidationException"
    status = 400


class SlowDown(Fault):
    """Please reduce your request rate."""

    status = 503

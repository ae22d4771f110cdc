"""The fault tree: what a client is told when something cannot be done.

Every fault is one class: its name is AWS's wire code (or `code` says it), its docstring is the default
message, `status` is the HTTP status. The gateway writes any `Fault` in the format of the service that was
called; anything that is not a `Fault` is our own bug: logged in full, answered as a bare 500.

    Fault
    ├── errors.common    what any service may answer (AccessDenied, NotImplemented, ValidationError ...)
    ├── errors.apigateway APIs, REST and HTTP
    ├── errors.cloudformation stacks
    ├── errors.cloudwatch metrics
    ├── errors.s3        object store
    ├── errors.lambda_   functions
    ├── errors.sagemaker endpoints
    ├── errors.sns       topics
    ├── errors.sqs       queues
    └── errors.apis      deployed APIs, to their callers

`AlightError` is for people at the keyboard (CLI, settings, templates): one sentence that says what happened,
where, and what to do next.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Fault(Exception):
    """We encountered an internal error. Please try again."""

    code: ClassVar[str] = "InternalError"
    status: ClassVar[int] = 500

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            cls.code = cls.__name__

    def __init__(self, message: str | None = None, /, **members: Any) -> None:
        """`members` are further wire members of the error (S3's `Key`, ModelError's `OriginalStatusCode`)."""
        self.message = message if message is not None else (type(self).__doc__ or "").strip()
        self.members = members
        super().__init__(self.message)

    @property
    def by_sender(self) -> bool:
        """True where the client is at fault (4xx), which query services report as `Sender`."""
        return self.status < 500


class AlightError(Exception):
    """Something that the person at the keyboard has to know; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} {hint}".strip())

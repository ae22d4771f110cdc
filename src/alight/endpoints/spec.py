"""What an endpoint is asked to be, what it is now, and how much it may take."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

State = Literal["Creating", "InService", "Updating", "Deleting", "Failed"]


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """One production variant. `model_dir` is an unpacked, checked package; `instances` below 2 means the default.

    With `multi` it has none: every request names its model, whose replicas are `instances`.
    """

    name: str
    model_dir: Path
    instances: int = 1
    weight: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict)
    multi: bool = False


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """All variants of one endpoint. `shadows` get copies of the traffic; their weight is a share of production's."""

    name: str
    variants: tuple[VariantSpec, ...]
    shadows: tuple[VariantSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """`replicas` answer, out of `wanted`; `restarts` since deployment."""

    name: str
    weight: float
    wanted: int
    replicas: int
    restarts: int
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """`replicas` is the number that answer, over all variants."""

    state: State
    failure_reason: str
    replicas: int
    variants: tuple[VariantStatus, ...] = ()


#: Given for an event's call. Told True, what comes to nothing from here on is this side's failure and not the event's:
#: it has no place yet; told False, it is the event's own again.
Excuse = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What InvokeEndpoint gives back."""

    body: bytes
    content_type: str
    variant: str
    custom_attributes: str = ""


@dataclass(frozen=True, slots=True)
class Streamed:
    """What InvokeEndpointWithResponseStream gives back; `parts` arrive while the model makes them."""

    parts: AsyncGenerator[bytes]
    content_type: str
    variant: str
    custom_attributes: str = ""


class Invoked(NamedTuple):
    """One request that reached a variant, however it ended: for metrics and stories.

    `seconds` includes the wait for a replica. `status` is the model's own, 0 where it gave none (time limit, no place
    in the line).
    """

    endpoint: str
    variant: str
    request_id: str
    seconds: float
    status: int
    #: Replicas of the variant that answer.
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 6 * 1024 * 1024
    answer: int = 25 * 1024 * 1024
    #: From the arrival of a request to its answer.
    invocation: float = 60.0
    #: How long an event's call waits where no replica lives: it comes again, and gives its worker back meanwhile.
    patience: float = 5.0
    #: From the start of a replica to its first ping.
    start: float = 300.0
    #: Requests that wait for a replica of one variant: half of those that are under way at most; and their bytes.
    waiting: int = 512
    waiting_bytes: int = 128 * 1024 * 1024
    #: Longest pause between two restarts of a replica that keeps dying.
    backoff: float = 30.0

"""ARNs and ids: how everything is called."""

from __future__ import annotations

import os
import secrets
import string
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Arn:
    """`arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`; `resource` keeps its own colons and slashes."""

    service: str
    resource: str
    region: str = REGION
    account: str = ACCOUNT
    partition: str = "aws"

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


@lru_cache(maxsize=512)
def parse_arn(text: str) -> Arn:
    """Raises `ValueError` where `text` is not an ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:
        raise ValueError(f"not an ARN: {text!r}")
    return Arn(partition=parts[1], service=parts[2], region=parts[3], account=parts[4], resource=parts[5])


def service_in(arn: str) -> str:
    """The service of an ARN; nothing where it is none."""
    parts = arn.split(":", 3)
    return parts[2] if len(parts) == 4 and parts[0] == "arn" else ""


def bucket_arn(bucket: str, key: str = "") -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def function_arn(name: str, qualifier: str = "") -> str:
    return str(Arn("lambda", f"function:{name}:{qualifier}" if qualifier else f"function:{name}"))


def topic_arn(name: str) -> str:
    return str(Arn("sns", name))


def subscription_arn(topic: str, subscription_id: str) -> str:
    return f"{topic}:{subscription_id}"


def queue_arn(name: str) -> str:
    return str(Arn("sqs", name))


def queue_in(url: str) -> str:
    """The name of the queue behind a URL. Whoever serves a queue and whoever says who may both ask here: read in two
    ways, one address would be two queues."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2] or url


def endpoint_arn(name: str) -> str:
    return str(Arn("sagemaker", f"endpoint/{name.lower()}"))


def role_arn(name: str, path: str = "/") -> str:
    return str(Arn("iam", f"role{path}{name}", region=""))


def user_arn(name: str, path: str = "/") -> str:
    return str(Arn("iam", f"user{path}{name}", region=""))


def log_group_arn(name: str) -> str:
    return str(Arn("logs", f"log-group:{name}"))


def new_short_id(length: int = 10) -> str:
    """Small letters and digits, as API Gateway calls its APIs (10), resources and deployments (fewer)."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


#: Random numbers that are drawn at a time.
_DRAWN = 256


class _Draw:
    """Random numbers of 128 bits, as 32 hex digits, each given once. They are drawn from the system many at a time: it
    lets other threads go first whenever it is asked. For any thread; a forked process draws its own."""

    def __init__(self) -> None:
        self._ready: list[str] = []
        os.register_at_fork(after_in_child=self._ready.clear)

    def __call__(self) -> str:
        try:
            return self._ready.pop()
        except IndexError:
            drawn = os.urandom(16 * _DRAWN).hex()
            self._ready += [drawn[start : start + 32] for start in range(32, len(drawn), 32)]
            return drawn[:32]


_draw = _Draw()


def new_request_id() -> str:
    """A UUID: the id of a request, an event, a message or an invocation."""
    # uuid4 in text; the class would cost five times as much, and each picture needs half a dozen.
    drawn = _draw()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{'89ab'[int(drawn[16], 16) & 3]}{drawn[17:20]}-{drawn[20:]}"


def new_version_id() -> str:
    """32 letters and digits, unguessable: the name of one stored body."""
    return _draw()


def without_password(address: str) -> str:
    """A subscriber's address as people are shown it, and AWS's callers too: `https://user:****@host/`."""
    scheme, mark, rest = address.partition("://")
    login, at, place = rest.partition("/")[0].rpartition("@")
    if not mark or not at or ":" not in login:
        return address
    return f"{scheme}://{login.partition(':')[0]}:****@{place}{rest[len(login) + 1 + len(place) :]}"

"""The three kinds of identities that have policies, and how IAM speaks of each."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass

from alight import names
from alight.errors.common import ValidationError

_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")


@dataclass(frozen=True, slots=True)
class Kind:
    """`record` is the kind of its records, `member` the wire member that names one, `noun` IAM's word in messages."""

    record: str
    member: str
    noun: str
    id_prefix: str
    longest: int
    most_attached: int

    @property
    def word(self) -> str:
        return self.noun.capitalize()

    def arn(self, name: str, path: str = "/") -> str:
        return str(names.Arn("iam", f"{self.noun}{path}{name}", region=""))

    def check_name(self, name: str, path: str) -> None:
        """Raises `ValidationError`."""
        if len(name) > self.longest or not _NAME.fullmatch(name) or not _PATH.fullmatch(path):
            raise ValidationError(f"The specified value for {self.noun}Name or path is invalid: {path}{name}")


ROLE = Kind("iam:role", "RoleName", "role", "AROA", 64, 20)
USER = Kind("iam:user", "UserName", "user", "AIDA", 64, 10)
GROUP = Kind("iam:group", "GroupName", "group", "AGPA", 128, 10)
KINDS = (ROLE, USER, GROUP)


def new_id(prefix: str) -> str:
    """21 capital letters and digits, as IAM's ids are (`AROA...` roles, `ANPA...` policies)."""
    return prefix + base64.b32encode(secrets.token_bytes(11)).decode()[:17]

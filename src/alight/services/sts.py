"""STS: who am I, and temporary credentials: a role's for those whom it trusts, or one's own for a while.

Nothing is stored: a session is what its token says (`alight.credentials`), so it survives a restart and ends by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Handler, Members, Principal
from alight.clock import Clock
from alight.credentials import Credentials, SessionClaims, mint, new_session_id
from alight.errors.common import AccessDenied, ValidationError
from alight.errors.iam import MalformedPolicyDocument, PackedPolicyTooLarge
from alight.services.iam.documents import identity_policy
from alight.services.iam.service import Iam
from alight.services.members import Table, guarded, support
from alight.store.records import Record

TABLE: Table = {
    "AssumeRole": support("RoleArn RoleSessionName DurationSeconds Policy PolicyArns ExternalId"),
    "GetAccessKeyInfo": support("AccessKeyId"),
    "GetCallerIdentity": support(),
    "GetSessionToken": support("DurationSeconds"),
}
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
#: Characters of a session's policy, and how many managed ones may stand beside it.
LONGEST_POLICY, MOST_POLICIES = 2048, 10
SHORTEST, HOUR = 900, 3600
#: Of GetSessionToken for users: the longest, and what is given where nothing is asked.
LONGEST_OWN, USUAL_OWN = 129_600, 43_200

#: Whether a role's trust policy (a document) lets a caller take the role with this ARN, as they ask.
Takes = Callable[[Members, str, Call, Members], bool]


class Sts:
    """The operations; `takes` judges trust policies."""

    def __init__(self, iam: Iam, keys: Credentials, clock: Clock, takes: Takes) -> None:
        self._iam = iam
        self._keys = keys
        self._clock = clock
        self._takes = takes

    def operations(self) -> dict[tuple[str, str], Handler]:
        handlers: dict[str, Handler] = {
            "AssumeRole": self.assume_role,
            "GetAccessKeyInfo": self.get_access_key_info,
            "GetCallerIdentity": get_caller_identity,
            "GetSessionToken": self.get_session_token,
        }
        return guarded("sts", TABLE, handlers)

    async def assume_role(self, call: Call, given: Members) -> Members:
        arn, name = given["RoleArn"], given["RoleSessionName"]
        if not _SESSION_NAME.fullmatch(name):
            raise _invalid(name, "roleSessionName", "satisfy regular expression pattern: [\\w+=,.@-]*")
        role = self._iam.roles.by_arn(arn)
        trust = self._iam.roles.trust_of(arn)
        if role is None or trust is None or not self._takes(trust, arn, call, given):
            raise AccessDenied(
                f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        policies, arns = self._narrowed(given)
        seconds = _duration(given, role, call.principal)
        now = int(self._clock.now())
        claims = SessionClaims(
            new_session_id(), role.name, name, "", now + seconds, id=role.body["RoleId"], path=role.body["Path"],
            issued=now, policies=policies, policy_arns=arns,
        )  # fmt: skip
        assumed = f"arn:aws:sts::{names.ACCOUNT}:assumed-role/{role.name}/{name}"
        answer = {
            "Credentials": self._credentials(claims),
            "AssumedRoleUser": {"AssumedRoleId": f"{role.body['RoleId']}:{name}", "Arn": assumed},
        }
        size = sum(map(len, policies)) + sum(map(len, arns))
        return answer | ({"PackedPolicySize": max(1, size * 100 // LONGEST_POLICY)} if size else {})

    async def get_session_token(self, call: Call, given: Members) -> Members:
        """Temporary credentials of a user's or the owner's own; who has such already gets no others."""
        principal = call.principal
        if principal.kind not in ("user", "root") or principal.session is not None:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        longest, usual = (LONGEST_OWN, USUAL_OWN) if principal.kind == "user" else (HOUR, HOUR)
        seconds = given.get("DurationSeconds", usual)
        if seconds < SHORTEST:
            raise _invalid(seconds, "durationSeconds", f"have value greater than or equal to {SHORTEST}")
        if seconds > LONGEST_OWN:
            raise _invalid(seconds, "durationSeconds", f"have value less than or equal to {LONGEST_OWN}")
        now = int(self._clock.now())
        claims = SessionClaims(
            new_session_id(), "", "", "", now + min(seconds, longest), kind=principal.kind, user=principal.user or "",
            id=principal.user_id, issued=now,
        )  # fmt: skip
        return {"Credentials": self._credentials(claims)}

    async def get_access_key_info(self, call: Call, given: Members) -> Members:
        key_id = given["AccessKeyId"]
        if not _KEY_ID.fullmatch(key_id):
            raise ValidationError(f"Invalid access key id: {key_id}")
        return {"Account": names.ACCOUNT}

    def _narrowed(self, given: Members) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The session's policies: its own text, and ARNs. Raises where they are none that could be judged."""
        text, arns = given.get("Policy"), tuple(one["arn"] for one in given.get("PolicyArns") or [])
        if text is not None and len(text) > LONGEST_POLICY:
            raise PackedPolicyTooLarge(
                f"Packed policy consumes {len(text) * 100 // LONGEST_POLICY}% of allotted space."
            )
        if len(arns) > MOST_POLICIES:
            raise _invalid(len(arns), "policyArns", f"have length less than or equal to {MOST_POLICIES}")
        for arn in arns:
            if not self._iam.policies.exists(arn):
                raise MalformedPolicyDocument(f"Policy {arn} does not exist or is not attachable.")
        return (identity_policy(text),) if text is not None else (), arns

    def _credentials(self, claims: SessionClaims) -> Members:
        key = mint(self._keys, claims)
        return {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token,
            "Expiration": datetime.fromtimestamp(claims.expires, UTC),
        }


async def get_caller_identity(call: Call, given: Members) -> Members:
    """The caller as the gateway knows it; the owner's `UserId` is the account, as for AWS's root."""
    return {"UserId": call.principal.user_id, "Account": names.ACCOUNT, "Arn": call.principal.arn}


def _duration(given: Members, role: Record, principal: Principal) -> int:
    seconds = int(given.get("DurationSeconds", HOUR))
    if seconds < SHORTEST:
        raise _invalid(seconds, "durationSeconds", f"have value greater than or equal to {SHORTEST}")
    if principal.kind == "role" and seconds > HOUR:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if seconds > role.body["MaxSessionDuration"]:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def _invalid(value: object, member: str, must: str) -> ValidationError:
    return ValidationError(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {must}"
    )

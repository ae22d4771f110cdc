"""Access keys of users. The record says whose a key is and whether it is active; its secret is nowhere: it is derived
from the key's id and the folder's own secret, shown once, and worked out again to check signatures.

Record body (kind `iam:access-key`, by id): `User`, `Status`; kind `iam:access-key-use` (by id): `At` in seconds,
`Service`. Uses are written down once a minute at most, not with each call.
"""

from __future__ import annotations

import base64
import secrets
from contextlib import suppress
from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Members, Principal
from alight.credentials import Credentials, derived_secret
from alight.errors.common import ValidationError
from alight.errors.iam import LimitExceeded, NoSuchEntity
from alight.errors.store import InsufficientStorage
from alight.services.iam.kinds import USER
from alight.services.iam.pages import page
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

KIND = "iam:access-key"
USE_KIND = "iam:access-key-use"
MOST_KEYS = 2
ACTIVE = "Active"
#: Seconds between two notes of a key's use.
NOTED_EVERY = 60.0


class AccessKeys:
    """The operations on keys, and whose a key is."""

    def __init__(self, database: Database, records: Records, keys: Credentials) -> None:
        self._database = database
        self._records = records
        self._keys = keys

    def principal(self, key_id: str) -> Principal | None:
        """The user behind an active key; asked for every signature, so that a key that was taken back opens nothing."""
        record = self._records.get(KIND, key_id)
        if record is None or record.body["Status"] != ACTIVE:
            return None
        user = self._records.get(USER.record, record.body["User"])
        return None if user is None else user_principal(user, key_id)

    async def create(self, name: str) -> Members:
        key_id = "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()

        def job(tx: Tx) -> Record:
            if self._records.get(USER.record, name, tx) is None:
                raise NoSuchEntity(f"The user with name {name} cannot be found.")
            if len(self.of(name, tx)) >= MOST_KEYS:
                raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}")
            return self._records.put(tx, KIND, key_id, {"User": name, "Status": ACTIVE})

        made = _shown(await self._database.write(job))
        return {"AccessKey": made | {"SecretAccessKey": derived_secret(self._keys, key_id)}}

    async def update(self, given: Members, name: str) -> Members:
        if given["Status"] not in (ACTIVE, "Inactive"):
            raise ValidationError(
                f"1 validation error detected: Value '{given['Status']}' at 'status' failed to satisfy constraint: "
                "Member must satisfy enum value set: [Active, Inactive]"
            )

        def job(tx: Tx) -> None:
            record = self._found(given["AccessKeyId"], name, tx)
            self._records.put(tx, KIND, record.name, record.body | {"Status": given["Status"]})

        await self._database.write(job)
        return {}

    async def delete(self, given: Members, name: str) -> Members:
        def job(tx: Tx) -> None:
            record = self._found(given["AccessKeyId"], name, tx)
            self._records.delete(tx, KIND, record.name)
            self._records.delete(tx, USE_KIND, record.name)

        await self._database.write(job)
        return {}

    async def list_keys(self, given: Members, name: str) -> Members:
        if self._records.get(USER.record, name) is None:
            raise NoSuchEntity(f"The user with name {name} cannot be found.")
        keys = [_shown(record) for record in self.of(name)]
        return {"UserName": name} | page(keys, given, "AccessKeyMetadata", "AccessKeyId")

    async def get_access_key_last_used(self, call: Call, given: Members) -> Members:
        key_id = given["AccessKeyId"]
        record, use = self._records.get(KIND, key_id), self._records.get(USE_KIND, key_id)
        if record is None:
            raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found")
        last: Members = {"ServiceName": "N/A", "Region": "N/A"}
        if use is not None:
            moment = datetime.fromtimestamp(use.body["At"], UTC)
            last = {"LastUsedDate": moment, "ServiceName": use.body["Service"], "Region": names.REGION}
        return {"UserName": record.body["User"], "AccessKeyLastUsed": last}

    async def note_use(self, key_id: str, service: str) -> None:
        now, known = self._database.clock.now(), self._records.get(USE_KIND, key_id)
        if known is not None and now - known.body["At"] < NOTED_EVERY:
            return

        def job(tx: Tx) -> None:
            if self._records.get(KIND, key_id, tx) is not None:
                self._records.put(tx, USE_KIND, key_id, {"At": now, "Service": service})

        # What only reads is served on a full disk, too.
        with suppress(InsufficientStorage):
            await self._database.write(job)

    def of(self, user: str, tx: Tx | None = None) -> list[Record]:
        """A user's keys, oldest first."""
        found = [one for one in self._records.list(KIND, limit=10_000, tx=tx) if one.body["User"] == user]
        return sorted(found, key=lambda record: (record.created, record.name))

    def rename(self, tx: Tx, old: str, new: str) -> None:
        """The keys of a user who gets another name."""
        for record in self.of(old, tx):
            self._records.put(tx, KIND, record.name, record.body | {"User": new})

    def _found(self, key_id: str, user: str, tx: Tx) -> Record:
        record = self._records.get(KIND, key_id, tx)
        if record is None or record.body["User"] != user:
            raise NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")
        return record


def user_principal(user: Record, key_id: str = "") -> Principal:
    """A user as the gateway knows one."""
    arn = names.user_arn(user.name, user.body["Path"])
    return Principal("user", arn, user.body["UserId"], user=user.name, key_id=key_id)


def _shown(record: Record) -> Members:
    return {
        "UserName": record.body["User"],
        "AccessKeyId": record.name,
        "Status": record.body["Status"],
        "CreateDate": datetime.fromtimestamp(record.created, UTC),
    }

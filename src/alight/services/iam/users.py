"""Users: people and programs with keys of their own. The owner of the data folder is not one of them.

Record body (kind `iam:user`, by name): `Path`, `UserId`, `Groups` (names, in order), `Login` (of a login profile:
`Created` in seconds and `Reset`, or None) and what `holders` keeps. A login profile's password is not kept: there is no
sign-in page here that could ask for it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Members
from alight.errors.common import ValidationError
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from alight.services.iam.access_keys import AccessKeys
from alight.services.iam.holders import Holders, since
from alight.services.iam.kinds import USER, new_id
from alight.services.iam.pages import page
from alight.services.iam.policies import Policies
from alight.store.database import Database, Tx
from alight.store.records import Record, Records


class Users(Holders):
    """The operations on users and on their login profiles."""

    def __init__(self, database: Database, records: Records, policies: Policies, keys: AccessKeys) -> None:
        super().__init__(USER, database, records, policies)
        self._keys = keys

    async def create_user(self, call: Call, given: Members) -> Members:
        body = {"UserId": new_id(USER.id_prefix), "Groups": [], "Login": None, "Tags": given.get("Tags", [])}
        return {"User": self._shown(await self.create(given["UserName"], given.get("Path", "/"), body))}

    async def get_user(self, call: Call, given: Members) -> Members:
        """Without a name the caller; the owner is shown as AWS shows an account's root."""
        if not given.get("UserName") and call.principal.kind == "root":
            root = {"UserId": call.principal.user_id, "Arn": call.principal.arn, "Path": "/", "UserName": "root"}
            return {"User": root | {"CreateDate": datetime.fromtimestamp(0, UTC)}}
        return {"User": self._shown(self.found(own_name(call, given)))}

    async def list_users(self, call: Call, given: Members) -> Members:
        prefix = given.get("PathPrefix", "/")
        users = [self._shown(record) for record in self.listed() if record.body["Path"].startswith(prefix)]
        return page(users, given, "Users", "UserName")

    async def update_user(self, call: Call, given: Members) -> Members:
        """Another name or path: the same user with the same keys."""
        old, new = given["UserName"], given.get("NewUserName") or given["UserName"]

        def job(tx: Tx) -> None:
            record = self.found(old, tx)
            path = given.get("NewPath") or record.body["Path"]
            self.kind.check_name(new, path)
            if new != old:
                if self.find(new, tx) is not None:
                    raise EntityAlreadyExists(f"User with name {new} already exists.")
                self._records.delete(tx, USER.record, old)
                self._keys.rename(tx, old, new)
            self._records.put(tx, USER.record, new, record.body | {"Path": path, "Created": since(record)})

        await self._database.write(job)
        return {}

    async def delete_user(self, call: Call, given: Members) -> Members:
        def job(tx: Tx) -> None:
            record = self.found(given["UserName"], tx)
            if record.body["Groups"]:
                raise DeleteConflict("Cannot delete entity, must remove users from group first.")
            if record.body["Attached"]:
                raise DeleteConflict("Cannot delete entity, must detach all policies first.")
            if record.body["Policies"]:
                raise DeleteConflict("Cannot delete entity, must delete policies first.")
            if record.body["Login"]:
                raise DeleteConflict("Cannot delete entity, must delete login profile first.")
            if self._keys.of(record.name, tx):
                raise DeleteConflict("Cannot delete entity, must delete access keys first.")
            self._records.delete(tx, USER.record, record.name)

        await self._database.write(job)
        return {}

    # Login profiles --------------------------------------------------------------------------------------------------

    async def create_login_profile(self, call: Call, given: Members) -> Members:
        name = own_name(call, given)
        login = {"Created": self._database.clock.now(), "Reset": given.get("PasswordResetRequired", False)}

        def with_login(body: Members) -> Members:
            if body["Login"]:
                raise EntityAlreadyExists(f"Login Profile for user {name} already exists.")
            return body | {"Login": login}

        await self.change(name, with_login)
        return {"LoginProfile": _login(name, login)}

    async def get_login_profile(self, call: Call, given: Members) -> Members:
        name = own_name(call, given)
        return {"LoginProfile": _login(name, _existing_login(name, self.found(name).body))}

    async def update_login_profile(self, call: Call, given: Members) -> Members:
        name, reset = given["UserName"], given.get("PasswordResetRequired")

        def changed(body: Members) -> Members:
            login = _existing_login(name, body)
            return body | {"Login": login if reset is None else login | {"Reset": reset}}

        await self.change(name, changed)
        return {}

    async def delete_login_profile(self, call: Call, given: Members) -> Members:
        name = own_name(call, given)

        def without(body: Members) -> Members:
            _existing_login(name, body)
            return body | {"Login": None}

        await self.change(name, without)
        return {}

    def _shown(self, record: Record) -> Members:
        return shown_user(record) | ({"Tags": record.body["Tags"]} if record.body["Tags"] else {})


def shown_user(record: Record) -> Members:
    return {
        "Path": record.body["Path"],
        "UserName": record.name,
        "UserId": record.body["UserId"],
        "Arn": names.user_arn(record.name, record.body["Path"]),
        "CreateDate": datetime.fromtimestamp(since(record), UTC),
    }


def own_name(call: Call, given: Members) -> str:
    """The user that a request is about: the named one, else the caller."""
    if name := given.get("UserName") or call.principal.user:
        return str(name)
    raise ValidationError("Must specify userName when calling with non-User credentials")


def _existing_login(name: str, body: Members) -> Members:
    if not body["Login"]:
        raise NoSuchEntity(f"Login Profile for User {name} cannot be found.")
    login: Members = body["Login"]
    return login


def _login(name: str, login: Members) -> Members:
    created = datetime.fromtimestamp(login["Created"], UTC)
    return {"UserName": name, "CreateDate": created, "PasswordResetRequired": login["Reset"]}

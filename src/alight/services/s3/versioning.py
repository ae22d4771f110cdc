"""Versions: whether a bucket keeps them (GetBucketVersioning, PutBucketVersioning), and the list of what it kept.

What a write, a deletion or a read does in such a bucket stands with each of them; `store.versions` keeps the rows.
"""

from __future__ import annotations

from collections.abc import Callable

from alight.calls import Call, Handler, Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import IllegalVersioningConfigurationException, InvalidArgument, MalformedXML
from alight.services.s3.ground import OWNER, Ground, check_version, moment
from alight.services.s3.listing import content_of, page_size, speller
from alight.store.version_listing import Version, VersionPage
from alight.store.versions import ENABLED, SETTING, SUSPENDED


class Versioning:
    """Handlers of a bucket's versions as a whole."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "GetBucketVersioning": self.get_versioning,
            "PutBucketVersioning": self.put_versioning,
            "ListObjectVersions": self.list_object_versions,
        }

    async def get_versioning(self, call: Call, given: Members) -> Members:
        status = self._ground.bucket(given).settings.get(SETTING)
        return {"Status": status} if status else {}

    async def put_versioning(self, call: Call, given: Members) -> Members:
        """From the next write on. A bucket that kept versions once can only stop to make new ones."""
        name = self._ground.bucket(given).name
        asked = given.get("VersioningConfiguration") or {}
        if asked.get("MFADelete") == "Enabled":
            raise NotImplemented_("Alight does not support MFADelete of s3 PutBucketVersioning.")
        status = asked.get("Status")
        if status is None:
            raise IllegalVersioningConfigurationException
        if status not in (ENABLED, SUSPENDED):
            raise MalformedXML
        await self._ground.set(name, SETTING, status)
        return {}

    async def list_object_versions(self, call: Call, given: Members) -> Members:
        bucket, limit = self._ground.bucket(given), page_size(given.get("MaxKeys"), "maxKeys")
        key, version = given.get("KeyMarker") or "", given.get("VersionIdMarker")
        if version is not None and not key:
            raise InvalidArgument(
                "A version-id marker cannot be specified without a key marker.",
                ArgumentName="version-id-marker",
                ArgumentValue=version,
            )
        check_version(version or None)
        prefix, delimiter = given.get("Prefix") or "", given.get("Delimiter") or ""
        page = VersionPage([], [], None)
        if limit:
            page = self._ground.objects.list_versions(bucket.name, prefix, delimiter, (key, version or ""), limit)
        return _reply(given, page, limit, speller(given))


def _reply(given: Members, page: VersionPage, limit: int, spell: Callable[[str], str]) -> Members:
    markers = [one for one in page.versions if one.row.marker]
    reply: Members = {
        "Name": given["Bucket"],
        "Prefix": spell(given.get("Prefix") or ""),
        "KeyMarker": spell(given.get("KeyMarker") or ""),
        "VersionIdMarker": given.get("VersionIdMarker") or "",
        "MaxKeys": limit,
        "IsTruncated": page.next is not None,
        "Versions": [
            content_of(one.row, spell, with_owner=True) | _which(one) for one in page.versions if not one.row.marker
        ],
        "DeleteMarkers": [
            {"Key": spell(one.row.key), "LastModified": moment(one.row.last_modified), "Owner": OWNER} | _which(one)
            for one in markers
        ],
        "CommonPrefixes": [{"Prefix": spell(prefix)} for prefix in page.common_prefixes],
    }
    if given.get("Delimiter"):
        reply["Delimiter"] = spell(given["Delimiter"])
    if given.get("EncodingType"):
        reply["EncodingType"] = given["EncodingType"]
    if page.next is not None:
        key, version = page.next
        reply |= {"NextKeyMarker": spell(key)} | ({"NextVersionIdMarker": version} if version else {})
    return reply


def _which(one: Version) -> Members:
    return {"VersionId": one.row.visible, "IsLatest": one.latest}

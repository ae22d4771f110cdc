"""A rule of a bucket's LifecycleConfiguration, in the members of PutBucketLifecycleConfiguration. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alight.calls import Members

_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")


def lifecycle_rule(given: Members) -> Members:
    """CloudFormation's rule as the operation takes it; what is wrong with it the operation says."""
    rule: Members = {"Status": given["Status"], "Filter": _filter(given)}
    if "Id" in given:
        rule["ID"] = given["Id"]
    expiration: Members = {}
    if "ExpirationInDays" in given:
        expiration["Days"] = int(given["ExpirationInDays"])
    if "ExpirationDate" in given:
        expiration["Date"] = datetime.fromisoformat(str(given["ExpirationDate"]))
    if "ExpiredObjectDeleteMarker" in given:
        expiration["ExpiredObjectDeleteMarker"] = given["ExpiredObjectDeleteMarker"] in (True, "true")
    if expiration:
        rule["Expiration"] = expiration
    old: Members = dict(given.get("NoncurrentVersionExpiration") or {})
    if "NoncurrentVersionExpirationInDays" in given:
        old["NoncurrentDays"] = given["NoncurrentVersionExpirationInDays"]
    if old:
        rule["NoncurrentVersionExpiration"] = {name: int(value) for name, value in old.items()}
    if "AbortIncompleteMultipartUpload" in given:
        days = given["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": None if days is None else int(days)}
    return rule


def _filter(given: Members) -> Members:
    """One condition by itself, several together."""
    chosen: dict[str, Any] = {name: int(given[name]) for name in _SIZES if name in given}
    if given.get("Prefix"):
        chosen["Prefix"] = given["Prefix"]
    tags = given.get("TagFilters") or []
    if len(tags) == 1 and not chosen:
        return {"Tag": tags[0]}
    if tags:
        chosen["Tags"] = tags
    return chosen if len(chosen) < 2 and len(tags) < 2 else {"And": chosen}

"""A website's configuration: what it has to look like, and where its rules lead. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from alight.calls import Members
from alight.errors.s3 import InvalidArgument, InvalidRequest, MalformedXML

MOST_RULES = 50
_PROTOCOLS = (None, "http", "https")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::\d{1,5})?")
_CODES = re.compile(r"30[1-9]|3[1-9]\d")
_ERRORS = re.compile(r"[45]\d\d")
_MOVED = 301
#: What a key may hold unescaped in a Location.
_SAFE = "/!$&'()*+,;=:@~-._"


@dataclass(frozen=True, slots=True)
class Home:
    """Where the website's root is, as the client sees it: `http://host:port` and the path before its keys."""

    scheme: str
    host: str
    path: str = ""

    def at(self, key: str) -> str:
        """The address of a key, whole."""
        return f"{self.scheme}://{self.host}{self.local(key)}"

    def local(self, key: str) -> str:
        """The same without scheme and host, so that it holds behind whatever stands before us."""
        return f"{self.path}/{quote(key, safe=_SAFE)}"

    def lead(self, key: str) -> str:
        """The shorter of the two that a browser cannot take for another host (`//host`)."""
        return self.at(key) if self.local(key).startswith("//") else self.local(key)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go there instead."""

    status: int
    location: str


def rule_for(rules: Sequence[Members], key: str, home: Home, error: int | None = None) -> Redirect | None:
    """The redirect of the first rule that applies to `key`; `error` is None before the key was looked up.

    A rule that names an error applies to that error alone, one that does not applies before it could come about.
    """
    for rule in rules:
        condition = rule.get("Condition") or {}
        prefix, wanted = condition.get("KeyPrefixEquals", ""), condition.get("HttpErrorCodeReturnedEquals")
        if key.startswith(prefix) and (None if wanted is None else int(wanted)) == error:
            return _followed(rule["Redirect"], key, prefix, home)
    return None


def everything(target: Members, key: str, home: Home) -> Redirect:
    """RedirectAllRequestsTo: the same key at another host."""
    there = Home(target.get("Protocol") or home.scheme, target["HostName"])
    return Redirect(_MOVED, there.at(key))


def _followed(redirect: Members, key: str, prefix: str, home: Home) -> Redirect:
    if "ReplaceKeyWith" in redirect:
        key = redirect["ReplaceKeyWith"]
    elif "ReplaceKeyPrefixWith" in redirect:
        key = redirect["ReplaceKeyPrefixWith"] + key[len(prefix) :]
    host, protocol = redirect.get("HostName"), redirect.get("Protocol")
    there = Home(protocol or home.scheme, host or home.host, "" if host else home.path)
    location = there.at(key) if host or protocol else home.lead(key)
    return Redirect(int(redirect.get("HttpRedirectCode") or _MOVED), location)


def of_object(location: str, home: Home) -> Redirect:
    """An object's own redirect (`x-amz-website-redirect-location`): a path of this website, or any address."""
    if location.startswith("/"):
        location = home.path + location
    return Redirect(_MOVED, quote(location, safe=_SAFE + "?#%[]"))


def checked(configuration: Members) -> Members:
    """A configuration as it is kept. Raises S3's refusal of what is none."""
    kept = {name: value for name, value in configuration.items() if value}
    everywhere = kept.get("RedirectAllRequestsTo")
    if everywhere is not None:
        if len(kept) > 1:
            raise InvalidRequest("RedirectAllRequestsTo cannot be provided in conjunction with other elements.")
        _check_target(everywhere, "HostName" in everywhere)
        return kept
    suffix = (kept.get("IndexDocument") or {}).get("Suffix")
    if not suffix:
        raise InvalidArgument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ArgumentName="IndexDocument",
            ArgumentValue="null",
        )
    if "/" in suffix:
        raise InvalidArgument(
            "The IndexDocument Suffix is not well formed", ArgumentName="IndexDocument", ArgumentValue=suffix
        )
    if "ErrorDocument" in kept and not kept["ErrorDocument"].get("Key"):
        raise InvalidArgument(
            "The ErrorDocument Key is not well formed", ArgumentName="ErrorDocument", ArgumentValue=""
        )
    rules = kept.get("RoutingRules") or []
    if len(rules) > MOST_RULES:
        raise InvalidRequest(f"{len(rules)} routing rules provided, the number of routing rules in a website "
                             f"configuration is limited to {MOST_RULES}.")  # fmt: skip
    for rule in rules:
        _check_rule(rule)
    return kept


def _check_rule(rule: Members) -> None:
    condition, redirect = rule.get("Condition"), rule.get("Redirect")
    if not redirect or (condition is not None and not condition):
        raise MalformedXML
    if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
        raise InvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    _check_target(redirect, True)
    code = redirect.get("HttpRedirectCode")
    if code is not None and not _CODES.fullmatch(str(code)):
        raise InvalidRequest(f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300.")
    error = (condition or {}).get("HttpErrorCodeReturnedEquals")
    if error is not None and not _ERRORS.fullmatch(str(error)):
        raise InvalidRequest(
            f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX.",
        )


def _check_target(target: Members, is_complete: bool) -> None:
    if not is_complete:
        raise MalformedXML
    if target.get("Protocol") not in _PROTOCOLS:
        raise InvalidRequest("Invalid protocol, protocol can be http or https. If not defined the protocol will be "
                             "selected automatically.")  # fmt: skip
    host = target.get("HostName")
    if host is not None and not _HOST.fullmatch(host):
        raise InvalidArgument("The HostName is not well formed", ArgumentName="HostName", ArgumentValue=host)


def is_redirect_location(text: str) -> bool:
    """What an object may be told to lead to."""
    return text.startswith("/") or (text.startswith(("http://", "https://")) and bool(urlsplit(text).netloc))

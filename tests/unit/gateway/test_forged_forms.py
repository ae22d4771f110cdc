"""Browsers' forms whose policy somebody has signed, changed in one place by whoever fills them in: none is accepted.

A tenth as many as `test_forged.py` makes, by the same variables.
"""

from __future__ import annotations

import base64
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.credentials import Credentials

from tests.unit.gateway.asking import Asked
from tests.unit.gateway.forging import OWNER, WORKER, Arriving, said
from tests.unit.gateway.signing import NOW
from tests.unit.gateway.test_auth_grid import Doors, ask, gateway
from tests.unit.gateway.test_forged import COUNT, SEED

LARGEST = 64
MOMENT, DAY = "20260102T030405Z", "20260102"
Fields = dict[str, str]


def policy(expiration: str = "2026-01-02T04:00:00Z", **fields: str) -> str:
    conditions: list[Any] = [{"bucket": "pics"}, ["content-length-range", 1, LARGEST]]
    conditions += [["eq", f"${name}", value] for name, value in fields.items()]
    return base64.b64encode(json.dumps({"expiration": expiration, "conditions": conditions}).encode()).decode()


def version_4(who: Credentials, **more: str) -> Fields:
    signing = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{who.access_key}/{DAY}/us-east-1/s3/aws4_request",
        "x-amz-date": MOMENT,
    } | ({"x-amz-security-token": who.token} if who.token else {})
    fields = {"key": "birds/card.jpg", "acl": "private", **signing}
    text = policy(**more, **fields)
    key = b"AWS4" + who.secret_key.encode()
    for step in (DAY, "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return fields | {"policy": text, "x-amz-signature": hmac.digest(key, text.encode(), "sha256").hex()}


def version_2(who: Credentials, **more: str) -> Fields:
    fields = {"key": "birds/card.jpg", "acl": "private"}
    fields |= {"x-amz-security-token": who.token} if who.token else {}
    text = policy(**more, **fields)
    mark = base64.b64encode(hmac.digest(who.secret_key.encode(), text.encode(), "sha1")).decode()
    return fields | {"AWSAccessKeyId": who.access_key, "policy": text, "signature": mark}


MAKERS: tuple[Callable[..., Fields], ...] = (version_4, version_2)


def sent(fields: Fields, file: bytes = b"picture", url: str = "/pics") -> Arriving:
    parts = b"".join(
        b'--x\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode("latin-1"))
        for name, value in fields.items()
    )
    whole = (
        parts + b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n' + file + b"\r\n--x--\r\n"
    )
    asked = Asked("s3", "PostObject", "s3", "POST", url, {"content-type": "multipart/form-data; boundary=x"}, whole)
    scope, _ = said(asked, place="none", said=None)
    return scope, whole


def changed(fields: Fields, dice: random.Random) -> tuple[str, Arriving]:
    """The form with one thing other than was signed."""
    fields = dict(fields)
    name = dice.choice(list(fields))
    value = fields[name]
    match dice.randrange(8):
        case 0 | 1 | 2:
            at = dice.randrange(len(value))
            letter = chr(ord(value[at]) ^ (1 << dice.randrange(7)))
            return f"bit of {name}", sent(fields | {name: value[:at] + letter + value[at + 1 :]})
        case 3:
            del fields[name]
            return f"without {name}", sent(fields)
        case 4:
            extra = dice.choice(
                ["x-amz-meta-a", "content-type", "tagging", "x-amz-acl", "success_action_status", "cache-control"]
            )
            return f"with {extra}", sent(fields | {extra: "200"})
        case 5:
            return "another bucket", sent(fields, url=dice.choice(["/others", "/pics/birds", "/", "/pics2", "/Pics"]))
        case 6:
            return "another size", sent(fields, dice.choice([b"", b"x" * (LARGEST + 1), b"x" * 5_000]))
    return f"{name} in another case", sent(fields | {name: value.swapcase()})


async def test_forged_forms() -> None:
    doors, dice, kinds = Doors(), random.Random(SEED), Counter[str]()
    at, wrong = gateway(doors), []
    made = [make(who) for make in MAKERS for who in (OWNER, WORKER)]
    for fields in made:
        await ask(at, *sent(fields))
        assert [place[1] for place in doors.reached] == ["PostObject"], "a good form is accepted"
        doors.reached.clear()
    bad = [make(Credentials(OWNER.access_key, "guessed")) for make in MAKERS]
    bad += [make(Credentials("AKIANOBODY", OWNER.secret_key)) for make in MAKERS]
    bad += [make(Credentials("ASIAOLD", "old-secret", "old")) for make in MAKERS]
    bad += [make(OWNER, expiration="2026-01-02T03:04:05Z") for make in MAKERS]
    tries: list[tuple[str, Arriving]] = [("badly signed or too late", sent(fields)) for fields in bad]
    tries += [changed(made[turn % len(made)], dice) for turn in range(COUNT // 10)]
    for kind, (scope, body) in tries:
        status = await ask(at, scope, body)
        kinds[kind.partition(" ")[0]] += 1
        if doors.reached or not (400 <= status < 500 or status == 501):
            wrong.append((kind, status, body))
        doors.reached.clear()
    print(f"\n{len(made)} good forms, seed {SEED}: {kinds.total()} changed ({dict(kinds)}), {len(wrong)} accepted")
    assert wrong == [], "\n".join(map(str, wrong[:20]))
    assert NOW == 1_767_323_045.0, "the moment that the forms are made for"

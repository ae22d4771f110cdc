"""Random members for any shape of a service model: what a user could give, what a handler could answer."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

#: Written into bodies: everything that a careless writer would forget to escape.
TEXT = "aZ09 <>&\"'\\/%+;=ü€𝄞{}[]\t"
#: Written into headers, where only printable ASCII travels.
HEADER_TEXT = "aZ09 <>&\"'/%+;=-_."
PATH_TEXT = "aZ09 &%+=ü€/~_-.:@!$'()*,;?#"
MAX_DEPTH = 5


def unwritable(shape: Shape) -> bool:
    """Event streams, and structures without members, which leave no trace in the query protocol."""
    return bool(shape.serialization.get("eventstream")) or (shape.type_name == "structure" and not shape.members)


class Generator:
    """Seeded; the same seed gives the same members for ever."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def members(self, shape: Shape, depth: int = 0) -> dict[str, Any]:
        """Required members always, others by chance; of a union exactly one."""
        names = [name for name, member in shape.members.items() if not unwritable(member)]
        if shape.metadata.get("union"):
            names = [self._random.choice(names)]
            return {names[0]: self.value(shape.members[names[0]], depth + 1)}
        chance = 0.5 if depth < 2 else 0.2
        kept = [name for name in names if name in shape.required_members or self._random.random() < chance]
        if not kept and names and depth:
            # An empty structure and none at all look the same in the query protocol.
            kept = [self._random.choice(names)]
        return {name: self.value(shape.members[name], depth + 1) for name in kept}

    def value(self, shape: Shape, depth: int) -> Any:
        if shape.metadata.get("document"):
            return {"a": [1, "two", None, {"b": True}]}
        match shape.type_name:
            case "structure":
                return (
                    self.members(shape, depth)
                    if depth < MAX_DEPTH or shape.metadata.get("union")
                    else self._least(shape)
                )
            case "list":
                return [self.value(shape.member, depth + 1) for _ in range(self._random.randint(1, 3))]
            case "map":
                names = [self._map_key(shape, number) for number in range(self._random.randint(1, 2))]
                return {name: self.value(shape.value, depth + 1) for name in names}
        return self._scalar(shape)

    def _least(self, shape: Shape) -> dict[str, Any]:
        plain = [name for name, member in shape.members.items() if member.type_name not in ("structure", "list", "map")]
        kept = shape.required_members or plain[:1]
        return {name: self.value(shape.members[name], MAX_DEPTH) for name in kept}

    def _map_key(self, shape: Shape, number: int) -> str:
        if shape.serialization.get("location"):
            return f"key-{number}"
        return (
            str(self._scalar(shape.key)) + str(number) if not shape.key.metadata.get("enum") else self._pick(shape.key)
        )

    def _pick(self, shape: Shape) -> str:
        return str(self._random.choice(shape.metadata["enum"]))

    def _scalar(self, shape: Shape) -> Any:
        match shape.type_name:
            case "boolean":
                return self._random.random() < 0.5
            case "integer":
                return self._random.randint(1, 200)
            case "long":
                return self._random.randint(1, 2**53)
            case "float" | "double":
                return round(self._random.uniform(-1e6, 1e6), 4)
            case "timestamp":
                return self._moment(shape)
            case "blob":
                return self._random.randbytes(self._random.randint(1, 40))
        return self._pick(shape) if shape.metadata.get("enum") else self._text(shape)

    def _moment(self, shape: Shape) -> datetime:
        is_header = shape.serialization.get("location") == "header"
        seconds = self._random.randint(0, 2_000_000_000)
        millis = (
            0 if is_header or shape.serialization.get("timestampFormat") == "rfc822" else self._random.randint(0, 999)
        )
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=millis * 1000)

    def _text(self, shape: Shape) -> str:
        match shape.serialization.get("location"):
            case "header" | "headers" | None if shape.serialization.get("jsonvalue"):
                return "json"
            case "header" | "headers":
                alphabet = HEADER_TEXT
            case "uri" if not shape.serialization.get("name", "").endswith("Bucket"):
                alphabet = PATH_TEXT
            case "uri":
                return "bucket-" + str(self._random.randint(0, 999))
            case _:
                alphabet = TEXT
        return "x" + "".join(self._random.choices(alphabet, k=self._random.randint(0, 12))) + "y"

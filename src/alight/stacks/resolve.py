"""Third step: intrinsic functions become values.

One evaluator does it all. What a `Ref` or `GetAtt` of a resource means is handed in, so the same code finds the
dependencies (callbacks that write down names), makes the plan (names as they will be, `Later` for what only the
service can tell) and applies (what the service told).
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from alight.calls import Members
from alight.names import ACCOUNT, REGION, Arn
from alight.stacks.load import Steps
from alight.stacks.parameters import plain_text

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_REFUSED = {
    "Fn::Transform": "macros are not offered.",
}


class _NoValue:
    """What `AWS::NoValue` leaves: the property, or the item of a list, is not there."""


NO_VALUE = _NoValue()


class Later(str):
    """Stands for text that is known only once the resource exists; whatever is built from it is `Later` too."""

    __slots__ = ()


class Unresolvable(Exception):
    """A function that cannot be worked out; `steps` lead to it from the root of the template."""

    def __init__(self, message: str, steps: Steps) -> None:
        self.message = message
        self.steps = steps
        super().__init__(message)


def stack_arn(stack: str, unique: str = "") -> str:
    """The ARN (StackId) of a stack; one of a template's file is called by its name alone."""
    return str(Arn("cloudformation", f"stack/{stack}/{unique or stack}"))


def no_exports(name: str) -> Any:
    """Where no other stack is looked at."""
    raise LookupError(f"No export named {name} found")


def pseudo_parameters(stack: str, identity: str = "") -> dict[str, Any]:
    """What `AWS::...` names stand for in one stack; `identity` is its ARN, where its name does not make that."""
    return {
        "AWS::AccountId": ACCOUNT,
        "AWS::NoValue": NO_VALUE,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::StackId": identity or stack_arn(stack),
        "AWS::StackName": stack,
        "AWS::URLSuffix": "amazonaws.com",
    }


@dataclass(frozen=True, slots=True)
class Resolver:
    """Evaluates nodes of one template.

    `values` are parameters and pseudo parameters; `ref(logical id)` and `att(logical id, attribute)` answer for
    resources, `imports(name)` for what other stacks export; they raise `LookupError` with a sentence where there is no
    answer.
    """

    body: Members
    values: Mapping[str, Any]
    ref: Callable[[str], Any]
    att: Callable[[str, str], Any]
    imports: Callable[[str], Any] = no_exports
    _decided: dict[str, bool | None] = field(default_factory=dict)

    def value(self, node: Any, steps: Steps = ()) -> Any:
        """The value of `node`, which stands at `steps`; `NO_VALUE` where nothing is to be there."""
        if isinstance(node, list):
            items = (self.value(item, (*steps, index)) for index, item in enumerate(node))
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        function = _function(node, steps)
        if function is not None:
            try:
                return _FUNCTIONS[function](self, node[function], (*steps, function))
            except (LookupError, ValueError, TypeError) as error:
                raise Unresolvable(_sentence(function, error), (*steps, function)) from None
        pairs = ((name, self.value(item, (*steps, name))) for name, item in node.items())
        return {name: item for name, item in pairs if item is not NO_VALUE}

    def condition(self, name: str, asked_at: Steps) -> bool:
        """Whether the condition of that name holds; `asked_at` is where it is named. Raises `Unresolvable`."""
        conditions = self.body.get("Conditions") or {}
        if name not in conditions:
            raise Unresolvable(f"Unresolved condition dependency {name}: there is no condition {name}.", asked_at)
        steps = ("Conditions", name)
        if name in self._decided:
            decided = self._decided[name]
            if decided is None:
                raise Unresolvable(f"condition {name} depends on itself.", steps)
            return decided
        self._decided[name] = None
        self._decided[name] = result = self._test(conditions[name], steps)
        return result

    def _test(self, node: Any, steps: Steps) -> bool:
        """A condition's expression: true or false."""
        if isinstance(node, dict) and len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Condition":
                return self.condition(str(argument), (*steps, name))
            parts = argument if isinstance(argument, list) else [argument]
            inner = (*steps, name)
            if name == "Fn::Not" and len(parts) == 1:
                return not self._test(parts[0], (*inner, 0))
            if name in ("Fn::And", "Fn::Or") and 2 <= len(parts) <= 10:
                outcomes = [self._test(part, (*inner, index)) for index, part in enumerate(parts)]
                return all(outcomes) if name == "Fn::And" else any(outcomes)
            if name == "Fn::Equals" and len(parts) == 2:
                early = replace(self, ref=_too_early, att=_too_early)
                left, right = (early.value(part, (*inner, index)) for index, part in enumerate(parts))
                try:
                    return bool(_comparable(left) == _comparable(right))
                except ValueError as error:
                    raise Unresolvable(_sentence(name, error), inner) from None
        raise Unresolvable("a condition is Equals of two, Not of one, And or Or of two to ten, or Condition.", steps)

    def _find(self, name: str) -> Any:
        """What `Ref` means."""
        return self.values[name] if name in self.values else self.ref(name)


def _too_early(name: str, attribute: str = "") -> Any:
    raise LookupError(f"{name} is not a parameter: conditions are decided before there are resources")


def _function(node: Members, steps: Steps) -> str | None:
    """The intrinsic function that `node` is, if it is one."""
    names = [name for name in node if name == "Ref" or name.startswith("Fn::")]
    if not names or (names == ["Ref"] and len(node) > 1):
        return None
    name = names[0]
    if len(node) > 1:
        raise Unresolvable(f"{name} stands alone, without {_other(node, name)} beside it.", steps)
    if name in _REFUSED:
        raise Unresolvable(f"{name} {_REFUSED[name]}", steps)
    if name not in _FUNCTIONS:
        raise Unresolvable(f"there is no function {name} at this place.", steps)
    return name


def _other(node: Members, name: str) -> str:
    return next(other for other in node if other != name)


def _sentence(function: str, error: Exception) -> str:
    text = str(error.args[0]) if error.args else "cannot be worked out"
    return f"{function}: {text}" if text.endswith(".") else f"{function}: {text}."


def _comparable(value: Any) -> Any:
    """CloudFormation compares text: `true` equals `"true"`."""
    return value if isinstance(value, list | dict) else plain_text(value)


def _ref(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    return resolver._find(_text(argument))


def _get_att(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else resolver.value(argument, steps)
    if not isinstance(parts, list) or len(parts) < 2:
        raise ValueError("takes a logical id and an attribute")
    return resolver.att(_text(parts[0]), ".".join(map(_text, parts[1:])))


def _import_value(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    name = resolver.value(argument, steps)
    if isinstance(name, Later):
        raise ValueError("takes a name that depends on no resource")
    return resolver.imports(_text(name))


def _sub(resolver: Resolver, argument: Any, steps: Steps) -> str:
    text, own = argument, {}
    if isinstance(argument, list):
        text, raw = _exactly(argument, 2, "takes a text, or a text and a mapping")
        own = resolver.value(raw, (*steps, 1))
    parts: list[Any] = []
    end = 0
    for match in _VARIABLE.finditer(_text(text)):
        parts += [text[end : match.start()], _variable(resolver, match[1], own)]
        end = match.end()
    return _joined("", [*parts, text[end:]])


def _variable(resolver: Resolver, name: str, own: Members) -> Any:
    if name.startswith("!"):
        return "${" + name[1:] + "}"
    if name in own:
        value = own[name]
    elif "." in name:
        value = resolver.att(*name.split(".", 1))
    else:
        value = resolver._find(name)
    if isinstance(value, list | dict):
        raise ValueError(f"${{{name}}} is not text")
    return "" if value is NO_VALUE else value


def _join(resolver: Resolver, argument: Any, steps: Steps) -> str:
    delimiter, items = _exactly(resolver.value(argument, steps), 2, "takes a delimiter and a list")
    return items if isinstance(items, Later) else _joined(_text(delimiter), _list(items))


def _joined(delimiter: str, items: list[Any]) -> str:
    text = delimiter.join(plain_text(item) for item in items)
    return Later(text) if any(isinstance(item, Later) for item in items) else text


def _if(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    name, yes, no = _exactly(argument, 3, "takes a condition and two values")
    chosen, index = (yes, 1) if resolver.condition(_text(name), (*steps, 0)) else (no, 2)
    return resolver.value(chosen, (*steps, index))


def _select(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    index, items = _exactly(resolver.value(argument, steps), 2, "takes an index and a list")
    if isinstance(items, Later):
        return items
    place = int(plain_text(index))
    if not 0 <= place < len(_list(items)):
        raise ValueError(f"there is no item {place} in a list of {len(items)}")
    return items[place]


def _split(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    delimiter, text = _exactly(resolver.value(argument, steps), 2, "takes a delimiter and a text")
    return text if isinstance(text, Later) else _text(text).split(_text(delimiter))


def _find_in_map(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    parts = resolver.value(argument, steps)
    if not isinstance(parts, list) or len(parts) not in (3, 4):
        raise ValueError("takes a map and two keys")
    found: Any = resolver.body.get("Mappings") or {}
    for key in map(plain_text, parts[:3]):
        if not isinstance(found, dict) or key not in found:
            if len(parts) == 4 and "DefaultValue" in parts[3]:
                return parts[3]["DefaultValue"]
            raise LookupError(f"there is no {key} in it")
        found = found[key]
    return found


def _base64(resolver: Resolver, argument: Any, steps: Steps) -> str:
    text = resolver.value(argument, steps)
    return text if isinstance(text, Later) else base64.b64encode(_text(text).encode()).decode()


def _to_json_string(resolver: Resolver, argument: Any, steps: Steps) -> str:
    value = resolver.value(argument, steps)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Later(text) if any(isinstance(leaf, Later) for leaf in leaves(value)) else text


def _length(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    items = resolver.value(argument, steps)
    return items if isinstance(items, Later) else len(_list(items))


def _cidr(resolver: Resolver, argument: Any, steps: Steps) -> Any:
    parts = resolver.value(argument, steps)
    if not isinstance(parts, list) or len(parts) not in (2, 3):
        raise ValueError("takes a block, a count and the bits of each part")
    if any(isinstance(part, Later) for part in parts):
        return parts[0]
    network = ipaddress.ip_network(_text(parts[0]))
    count, bits = int(plain_text(parts[1])), int(plain_text(parts[2])) if len(parts) == 3 else 8
    length = network.max_prefixlen - bits
    if not 1 <= count <= 256 or not network.prefixlen <= length <= network.max_prefixlen:
        raise ValueError(f"{network} cannot be cut like this")
    found = [str(part) for part in itertools.islice(network.subnets(new_prefix=length), count)]
    if len(found) < count:
        raise ValueError(f"{network} has only {len(found)} parts of that size")
    return found


def _get_azs(resolver: Resolver, argument: Any, steps: Steps) -> list[str]:
    region = _text(resolver.value(argument, steps)) or REGION
    return [f"{region}{letter}" for letter in "abc"]


def leaves(value: Any) -> Iterator[Any]:
    """Every scalar inside `value`."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def _exactly(value: Any, size: int, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != size:
        raise ValueError(what)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return value


_FUNCTIONS: dict[str, Callable[[Resolver, Any, Steps], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::ImportValue": _import_value,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::If": _if,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::ToJsonString": _to_json_string,
    "Fn::Length": _length,
    "Fn::GetAZs": _get_azs,
    "Fn::Cidr": _cidr,
}

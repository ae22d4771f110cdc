"""The section Parameters: given values and defaults become typed values, checked as CloudFormation checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight.calls import Members
from alight.stacks.load import Template
from alight.stacks.patterns import Patience
from alight.stacks.problems import Problem, TemplateRefused, at

_LISTS = ("CommaDelimitedList", "List<")


def values_of(template: Template, given: Mapping[str, str]) -> dict[str, Any]:
    """Value per parameter: text, or a list of texts for the list types. Raises `TemplateRefused` with all findings."""
    declared = template.body.get("Parameters") or {}
    problems = [
        at(template, ("Parameters",), f"there is no parameter {name}.") for name in given if name not in declared
    ]
    values: dict[str, Any] = {}
    patience = Patience()
    for name, declaration in declared.items():
        try:
            values[name] = _value(declaration, given.get(name), patience)
        except (ValueError, TypeError) as error:
            problems.append(_problem(template, name, str(error)))
    if problems:
        raise TemplateRefused(problems)
    return values


def _problem(template: Template, name: str, message: str) -> Problem:
    return at(template, ("Parameters", name), message)


def _value(declaration: Members, given: str | None, patience: Patience) -> Any:
    kind = str(declaration.get("Type", ""))
    if kind.startswith("AWS::SSM::"):
        raise ValueError(f"{kind} is not offered; use String.")
    if not kind:
        raise ValueError("a parameter needs a Type.")
    value = given if given is not None else declaration.get("Default")
    if value is None:
        raise ValueError("needs a value and has no Default.")
    text = plain_text(value)
    parts = [part.strip() for part in text.split(",")] if kind.startswith(_LISTS) else [text]
    for part in parts:
        _check(declaration, kind, part, patience)
    return parts if kind.startswith(_LISTS) else text


def _check(declaration: Members, kind: str, text: str, patience: Patience) -> None:
    explanation = declaration.get("ConstraintDescription")
    hint = f" ({explanation})" if explanation else ""
    allowed = declaration.get("AllowedValues")
    if allowed is not None and text not in [plain_text(value) for value in allowed]:
        raise ValueError(f"{text!r} is not one of {', '.join(map(plain_text, allowed))}{hint}.")
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not patience.fits(str(pattern), text):
        raise ValueError(f"{text!r} does not match {pattern}{hint}.")
    if "Number" in kind:
        number = _number(text)
        _within(declaration, "MinValue", "MaxValue", number, text, hint)
    else:
        _within(declaration, "MinLength", "MaxLength", len(text), text, hint)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number.") from None


def _within(declaration: Members, least: str, most: str, measure: float, text: str, hint: str) -> None:
    if least in declaration and measure < float(declaration[least]):
        raise ValueError(f"{text!r} is below {least} {declaration[least]}{hint}.")
    if most in declaration and measure > float(declaration[most]):
        raise ValueError(f"{text!r} is above {most} {declaration[most]}{hint}.")


def plain_text(value: Any) -> str:
    """A scalar as CloudFormation writes it into text. Raises `ValueError` for lists and mappings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"{value!r} is not text")

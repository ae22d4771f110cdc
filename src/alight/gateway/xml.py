"""XML in and out: a small tree from expat that knows no entities, and text that is always escaped.

DOCTYPE, entities and processing instructions are refused before anything is expanded; depth and number of
elements are limited.
"""

from __future__ import annotations

from pyexpat import ExpatError, ParserCreate

from alight.errors.gateway import MalformedXML

MAX_DEPTH = 64
MAX_ELEMENTS = 200_000


class Element:
    """`name` and attribute names without namespace prefix (but `xsi:type` keeps its own)."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""


class _Builder:
    """Collects what expat reports."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise MalformedXML("The XML you provided is nested too deeply or has too many elements.")
        element = Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.clear()

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if not element.children:
            element.text = "".join(self._text)
        self._text.clear()

    def text(self, text: str) -> None:
        self._text.append(text)

    def refuse(self, *_: object) -> None:
        raise MalformedXML("DOCTYPE, entities and processing instructions are not accepted.")


def parse_xml(body: bytes) -> Element:
    """Raises `MalformedXML`."""
    builder = _Builder()
    parser = ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ProcessingInstructionHandler = builder.refuse
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError):
        raise MalformedXML from None
    if builder.root is None:
        raise MalformedXML
    return builder.root


_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;"})
#: Characters that XML 1.0 cannot carry at all become its replacement character.
_FORBIDDEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "\ufffd")
_TEXT |= _FORBIDDEN
_ATTRIBUTE |= _FORBIDDEN


def escape(text: str) -> str:
    return text.translate(_TEXT)


def escape_attribute(text: str) -> str:
    return text.translate(_ATTRIBUTE)

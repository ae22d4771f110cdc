"""Regular expressions that callers write. Whatever they say, they take time that grows with the text and no faster:
`(a+)+$` on a long line would hold Python's own engine, and with it everybody's requests, for years.

RE2 reads them; what it cannot do at such a price (look-ahead, back-references) it refuses.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Protocol

#: Bytes of memory that one expression may use.
MEMORY = 1 << 20
#: Where there is no wheel of RE2, nothing of callers is run: Python's own engine is no substitute.
_re2 = importlib.import_module("re2") if importlib.util.find_spec("re2") else None


class InvalidExpression(ValueError):
    """The text says why, and what stands in the way."""


class Expression(Protocol):
    """A compiled expression; each returns None where nothing was found."""

    def search(self, text: str) -> object | None: ...

    def match(self, text: str) -> object | None: ...

    def fullmatch(self, text: str) -> object | None: ...


@lru_cache(maxsize=256)
def compile_expression(text: str) -> Expression:
    """Raises `InvalidExpression`."""
    if _re2 is None:
        raise InvalidExpression("regular expressions need the package google-re2, which is not installed")
    options = _re2.Options()
    options.max_mem, options.log_errors = MEMORY, False
    try:
        compiled: Expression = _re2.compile(text, options)
    except (_re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else error
        raise InvalidExpression(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
    return compiled

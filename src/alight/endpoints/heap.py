"""What was needed only to load a model goes back to the system: glibc keeps freed memory for itself otherwise, a
quarter of a small model's replica."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """All that is free; nothing where the C library is another one. Takes a few milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

"""Libraries that not every instance needs are loaded when the first one does, which makes a start shorter by a fifth.

Such a library is imported inside the function that uses it. `load` before that keeps the event loop free while it is
read: aiohttp takes a tenth of a second, most of it for the certificates that it trusts.
"""

from __future__ import annotations

import asyncio
import importlib
import sys


async def load(name: str) -> None:
    """In a thread; at once where it is there already."""
    if name not in sys.modules:
        await asyncio.to_thread(importlib.import_module, name)

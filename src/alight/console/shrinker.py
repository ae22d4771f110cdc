"""The process that makes thumbnails: `python -m alight.console.shrinker`.

Decoders are native code that meets strangers' bytes, so they run apart from the runtime: with no environment, no new
privileges, little room and, where the kernel has Landlock, behind a fence that lets through no file and no connection.
It reads frames from stdin (side and length, then the picture) and writes one to stdout for each (length, then a JPEG,
or nothing where it was no picture). Used by `pictures`, which kills it where it hangs.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import sys
from typing import IO

from PIL import Image, ImageOps

from alight.console.frames import ANSWER, REQUEST
from alight.fence.raising import landlock_abi, put_up

MOST_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: Bytes of memory: the largest picture in RGB several times over.
MEMORY = 1 << 30
#: The lowest priority there is.
LAST = 19
_NO_NEW_PRIVS = 38
_DIE_WITH_PARENT = 1
_KILL = 9


def shrink(content: bytes, side: int) -> bytes:
    """A JPEG whose longer side has `side` pixels at most; nothing for what is no picture of a known format."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return b""
            picture.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
        upright.thumbnail((side, side))
        out = io.BytesIO()
        upright.save(out, "JPEG", quality=82)
    except Exception:  # Whatever a decoder says, it is no picture for us.
        return b""
    return out.getvalue()


def close_in() -> None:
    """Give up what a decoder does not need; nothing is opened after this. Whoever looks comes behind whoever works."""
    os.nice(LAST)
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        system.prctl(_DIE_WITH_PARENT, _KILL, 0, 0, 0)
        if landlock_abi():
            put_up({"tier": "landlock", "read": [], "write": [], "cover": [], "tmp": "", "network": False})


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Until stdin ends."""
    while len(head := incoming.read(REQUEST.size)) == REQUEST.size:
        side, length = REQUEST.unpack(head)
        made = shrink(incoming.read(length), side)
        outgoing.write(ANSWER.pack(len(made)) + made)
        outgoing.flush()


if __name__ == "__main__":
    Image.preinit()
    Image.init()
    close_in()
    serve(sys.stdin.buffer, sys.stdout.buffer)

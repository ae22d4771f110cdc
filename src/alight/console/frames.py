"""How `pictures` speaks with the process that makes its thumbnails: here, so that the runtime loads no decoders."""

from __future__ import annotations

import struct

#: Side and length, then the picture.
REQUEST = struct.Struct(">II")
#: Length, then a JPEG.
ANSWER = struct.Struct(">I")

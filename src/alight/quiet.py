"""Libraries that report their use to their makers are told not to: whatever runs here tells nobody but who was named.

ONNX Runtime does so on Linux since 1.29, by default. Functions and models get these variables from their start, as a
library reads them when it is loaded; a function's or container's own value wins.
"""

from __future__ import annotations

from types import MappingProxyType

NO_TELEMETRY = MappingProxyType({"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"})

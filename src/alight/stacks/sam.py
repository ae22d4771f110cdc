"""The child of `expand`: AWS's own SAM translator, run as `python -m alight.stacks.sam`.

The translator takes a second to import and 50 MB to keep; a process of its own gives both back. One JSON object
on standard input (`template`, `parameters`, `policies`: name → ARN, `region`), one on standard output: either
`template`, or `problems`, a list of `{"resource": logical id or "", "message": text}`.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def translate(asked: dict[str, Any]) -> dict[str, Any]:
    """Expand one template. Given the policies and a region, the translator calls nobody."""
    session = SimpleNamespace(region_name=asked["region"])
    translator = Translator(asked["policies"], Parser(), boto_session=session)
    try:
        return {"template": translator.translate(asked["template"], asked["parameters"], passthrough_metadata=False)}
    except InvalidDocumentException as error:
        return {"problems": [_problem(cause) for cause in error.causes]}


def _problem(cause: Exception) -> dict[str, str]:
    return {
        "resource": str(getattr(cause, "_logical_id", "") or ""),
        "message": str(getattr(cause, "_message", "") or getattr(cause, "message", cause)),
    }


if __name__ == "__main__":
    json.dump(translate(json.load(sys.stdin)), sys.stdout)

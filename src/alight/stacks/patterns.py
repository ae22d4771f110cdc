"""`AllowedPattern` of a template's parameters: CloudFormation reads them as Java does, with look-ahead and
back-references, for which no engine has a bound. What RE2 does not take is tried in a process of its own, for a moment.
"""

from __future__ import annotations

import subprocess
import sys

from alight.expressions import InvalidExpression, compile_expression

#: Seconds for one expression that is tried apart. After the first that takes longer, no other of the template is.
PATIENCE = 1.0
#: Prints 1 where it fits, 0 where not, 2 and why where it is no expression.
_TRY = (
    "import re, sys\ntry: print(int(re.fullmatch(*sys.argv[1:3]) is not None))\nexcept re.error as e: print(f'2 {e}')"
)


class Patience:
    """How long the expressions of one template may take together."""

    def __init__(self) -> None:
        self._gone = False

    def fits(self, pattern: str, text: str) -> bool:
        """Whether the whole text is as the pattern says. Raises `ValueError` for what is none, or takes too long."""
        try:
            return compile_expression(pattern).fullmatch(text) is not None
        except InvalidExpression:
            return self._fits_apart(pattern, text)

    def _fits_apart(self, pattern: str, text: str) -> bool:
        if self._gone or "\0" in pattern + text:
            raise ValueError(f"{pattern} is not tried: another expression took too long, or it has a zero byte.")
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _TRY, pattern, text],
                capture_output=True, text=True, timeout=PATIENCE, check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            self._gone = True
            raise ValueError(f"{pattern} takes longer than {PATIENCE:g} s on the value.") from None
        except (OSError, subprocess.CalledProcessError) as error:
            raise ValueError(f"{pattern} could not be tried: {error}.") from None
        answer, _, why = done.stdout.strip().partition(" ")
        if answer == "2":
            raise ValueError(f"{pattern} is no regular expression: {why}.")
        return answer == "1"

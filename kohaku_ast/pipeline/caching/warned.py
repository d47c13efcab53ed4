"""What a cache has to say, said once, at the user's own line."""

from __future__ import annotations

import os
import sys
import warnings

from kohaku_ast.errors import CacheWarning

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


class Said:
    """Sentences that were said. Each is said once by one of these, to whichever thread is first."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def once(self, about: str, message: str) -> None:
        """Warn with *message*, unless something was said *about* this before."""
        if about not in self._said:
            self._said.add(about)
            warnings.warn(message, CacheWarning, stacklevel=_level())


def _level() -> int:
    """How many frames up the first one is that is not ours."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level

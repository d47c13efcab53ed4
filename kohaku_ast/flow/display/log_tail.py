"""LogTail: what a log has got since it was last looked at; never more of it than asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path

_END = re.compile(rb"\r\n|[\r\n]")
_LONGEST_LINE = 4096


class LogTail:
    """Follows one log. The file is open only while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The line that has no end yet.
        self.rest = b""
        self._offset = 0

    def read(self, most: int) -> list[bytes]:
        """The lines that have ended since the last call, out of the last *most* bytes.

        A carriage return ends a line too: it is how progress bars draw over themselves. A log that
        cannot be read has got no lines.
        """
        try:
            data = self._more(most)
        except OSError:
            return []
        if not data:
            return []
        *lines, self.rest = _END.split(self.rest + data)
        self.rest = self.rest[-_LONGEST_LINE:]
        return lines

    def _more(self, most: int) -> bytes:
        size = os.stat(self.path).st_size
        if size < self._offset:  # emptied by someone: it begins anew
            self._offset, self.rest = 0, b""
        if size == self._offset:
            return b""
        is_skipped = size - self._offset > most
        if is_skipped:
            self._offset, self.rest = size - most, b""
        with open(self.path, "rb", buffering=0) as log:
            log.seek(self._offset)
            data = log.read(most) or b""
        self._offset += len(data)
        # What is left of a line whose beginning is not known could be read as something else.
        return _END.split(data, maxsplit=1)[-1] if is_skipped else data

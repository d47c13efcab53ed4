"""Out: a stream to write to that never fails. What nobody can read any more is not written."""

from __future__ import annotations

from typing import TextIO


class Out:
    """A stream that may go away (a closed pipe, a full disk, a terminal that hung up)."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_gone = False
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> None:
        """Write *text* in one go."""
        if self.is_gone:
            return
        try:
            self.stream.write(self.writable(text))
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            self.is_gone = True

    def say(self, *lines: str) -> None:
        """Write *lines*; an empty one is left out."""
        text = "".join(f"{line}\n" for line in lines if line)
        if text:
            self.write(text)

    def writable(self, text: str, errors: str = "backslashreplace") -> str:
        """*text* with what the stream's encoding lacks as escapes."""
        if text.isascii():
            return text
        try:
            return text.encode(self.encoding, errors).decode(self.encoding)
        except LookupError:
            return text.encode("ascii", errors).decode()

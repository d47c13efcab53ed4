"""A terminal for a run whose output is shown on ours: a progress bar looks as it always does."""

from __future__ import annotations

import os


def terminal_ends(shown: int) -> tuple[int, int]:
    """Two ends of a terminal as large as the one at *shown*: what is written to the second one is
    read, as it is, at the first. Pipes where there are none.
    """
    try:
        import fcntl
        import struct
        import termios

        reader, writer = os.openpty()
    except (ImportError, OSError):
        return os.pipe()
    attributes = termios.tcgetattr(writer)
    attributes[1] &= ~termios.OPOST  # ours will do what is to be done with line ends
    termios.tcsetattr(writer, termios.TCSANOW, attributes)
    columns, rows = os.get_terminal_size(shown)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return reader, writer

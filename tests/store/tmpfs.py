"""A small disk of its own, which can be filled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class SmallDisk(type(Path())):  # type: ignore[misc]  # the base is known only at run time
    """The folder where it is mounted."""

    def fill(self) -> None:
        """Leave no room at all."""
        with open(self / "filler", "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def make_room(self) -> None:
        (self / "filler").unlink()


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Any]:
    """Mounted below *folder*; skips the test where that is not allowed."""
    place = SmallDisk(folder / "disk")
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or subprocess.run(command, stderr=-3).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)

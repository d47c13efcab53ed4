"""In a fresh interpreter: runs the one Shipment that it was started for.

The script runs with nothing below it, as under ``kogine run``.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.runner.bottom import is_command, leave_for
from kohaku_ast.runner.process import warn_at_end
from kohaku_ast.runner.shipment import unpack
from kohaku_ast.runner.shipped import start_of, told, writer
from kohaku_ast.sigint import own_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def main(frame: FrameType) -> None:
    """Run the Shipment that the command line names; *frame* is the interpreter's first."""
    own_process()
    job, result = sys.argv[3:5]
    number = int(result) if result.isdigit() else os.open(result, os.O_WRONLY)
    leave = writer(number)
    shipment = told(lambda: unpack(_read(job)), leave)
    warn_at_end(shipment.prepared)
    start = start_of(shipment, leave)
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


def _read(job: str) -> bytes:
    """*job* is a path, or the number of a descriptor that we were given."""
    with open(int(job) if job.isdigit() else job, "rb", 0) as file:
        return file.read()

"""Commands of kogine in processes of their own: asked for an answer, or started and left alone.
They may run the user's files, which must not happen in the server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from kohaku_ast.errors import UsageError, visible
from kohaku_ast.store.reproduce import kogine_command
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Store

_SECONDS = 60.0
_MOST_OUTPUT = 4 << 20
_MOST_LINES = 20
"""Of output without an error of ours."""
_ERROR = "kogine: error: "


def project_of(store: Store) -> Path:
    """The folder in which the runs of *store* were started, as a rule."""
    is_usual = store.root.parts[-2:] == RUNS.parts
    return store.root.parent.parent if is_usual else store.root


def ask_command(words: Sequence[str], folder: Path, statuses: Sequence[int] = (0,)) -> str:
    """What ``kogine WORDS`` prints in *folder*. Raises UsageError, with its error, if its status is
    none of *statuses*, and if it takes longer than a minute.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = _open(words, str(folder), output, errors)
        try:
            status = started.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"kogine {' '.join(words[:2])} has not ended in {_SECONDS:.0f} seconds and was "
                "killed: does a file do its work while it is imported?"
            ) from None
        finally:
            _end(started)
        if status not in statuses:
            raise UsageError(error_of(errors) or f"it ended with status {status}")
        return _text(output)


def start_command(words: Sequence[str], folder: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process of ``kogine WORDS`` in *folder*, which goes on when the server ends."""
    started = _open(words, folder, output, output)
    threading.Thread(target=started.wait, daemon=True).start()  # or it would stay a zombie
    return started


def error_of(output: IO[bytes]) -> str:
    """The error at the end of what a command has printed."""
    lines = _text(output).splitlines()
    own = [at for at, line in enumerate(lines) if line.startswith(_ERROR)]
    shown = lines[own[-1] :] if own else lines[-_MOST_LINES:]
    return visible("\n".join(shown).removeprefix(_ERROR).strip())


def _open(
    words: Sequence[str], folder: str, output: IO[bytes], errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*kogine_command(), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def _end(started: subprocess.Popen[bytes]) -> None:
    """End the process, and those of its group that are left."""
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # all of them have ended
    started.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_OUTPUT).decode("utf-8", "replace")

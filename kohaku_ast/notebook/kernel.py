"""Executes a notebook in a kernel of its own, by nbclient, and saves it with its outputs.

The only file that needs nbclient.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from kohaku_ast.errors import BrokenInstallation, UsageError
from kohaku_ast.files import replace_users_file
from kohaku_ast.frames import hidden
from kohaku_ast.notebook.notebook_process import INSTALL, CellError, print_error

_BEGINS = 0.3
"""Seconds after which a cell that a kernel has received is under way."""


def check_installed() -> None:
    """Raise BrokenInstallation without nbclient."""
    from importlib.util import find_spec

    missing = [name for name in ("nbclient", "ipykernel") if find_spec(name) is None]
    if missing:
        raise BrokenInstallation(
            f"to execute a notebook in a kernel, kogine needs {' and '.join(missing)}: {INSTALL}"
        )


@hidden
def execute(data: bytes, folder: str, output: str) -> None:
    """Execute the notebook with the content *data*, whose modules are in *folder*, and save it as
    *output* after each cell. What cells print appears here, too.

    Raises the CellError of the first cell that fails. A signal that ends this process interrupts
    the cell first, so that the notebook shows where it was.
    """
    notebook = _current(data)
    _save(notebook, output)
    with _searching(folder), TemporaryDirectory(prefix="kogine-") as sockets:
        client = _printing_client(notebook, output, sockets)
        failed = _failed(client)
    _save(notebook, output)
    if client.signals:
        if failed is not None:
            print_error(type(failed), failed, None)
        _end_as(client.signals[0])
    if failed is not None:
        raise failed


def _failed(client: Any) -> CellError | None:
    """Execute the notebook of *client*; the error that has ended it, None if it came to its end."""
    from asyncio import CancelledError

    from nbclient.exceptions import CellExecutionError

    try:
        client.execute()
    except CancelledError:
        if not client.signals:
            raise
        return None  # a signal has ended the kernel before its first cell
    except CellExecutionError as error:
        return _cell_error(client.nb, error)
    except Exception as error:  # the kernel has died, or cannot be started
        name, line = type(error).__name__, f"{error}{_where(client)}"
        return CellError.of(name, line, f"{name}: {line}\n")
    return None


def _end_as(number: int) -> None:
    """End as the signal *number* ends a script."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _where(client: Any) -> str:
    """The cell of code that was sent to the kernel last, for the end of a message. The kernel may
    have died before it said which one it runs.
    """
    cells = [cell for cell in client.nb.cells if cell.cell_type == "code"]
    sent = [number for number, cell in enumerate(cells, start=1) if cell is client.sent]
    return f" in cell {sent[0]}" if sent else ""


def _current(data: bytes) -> Any:
    """The notebook with the content *data*, in the format of today."""
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of cells without ids, and gives them some
        return nbformat.reads(data.decode(), as_version=4)


def _printing_client(notebook: Any, output: str, sockets: str) -> Any:
    """What executes *notebook*; the sockets of its kernel are in the folder *sockets*."""
    import asyncio

    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
    from nbclient import NotebookClient

    class Client(NotebookClient):
        signals: list[int]
        sent: Any
        is_ready: bool

        def create_kernel_manager(self) -> Any:
            self.signals, self.sent, self.is_ready = [], None, False
            manager = super().create_kernel_manager()
            if os.name == "posix":
                # Ports of TCP are chosen before they are taken: kernels of a sweep that start at
                # the same time take those of each other.
                manager.transport = "ipc"
                manager.connection_file = os.path.join(sockets, "kernel.json")
            return manager

        async def async_start_new_kernel(self, **options: Any) -> Any:
            is_main = threading.current_thread() is threading.main_thread()
            if os.name == "posix" and is_main:  # at a signal nbclient ends the kernel, and fails
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, self.note, number)
            return await super().async_start_new_kernel(**options)

        async def async_start_new_kernel_client(self) -> Any:
            found = await super().async_start_new_kernel_client()
            self.is_ready = True
            return found

        def note(self, number: int) -> None:
            """The signal *number* has arrived: the first interrupts the cell, the next kills."""
            self.signals.append(number)
            manager: Any = self.km
            if not self.is_ready:
                self.ending = asyncio.ensure_future(self._async_cleanup_kernel())
            elif len(self.signals) == 1:
                self.interrupt()
            else:
                self.ending = asyncio.ensure_future(manager.shutdown_kernel(now=True))

        def interrupt(self) -> None:
            manager: Any = self.km
            # Kept in an attribute: else it may be collected.
            self.ending = asyncio.ensure_future(manager.interrupt_kernel())

        async def async_execute_cell(self, cell: Any, *rest: Any, **options: Any) -> Any:
            if self.signals:
                return cell
            if cell.cell_type == "code":
                self.sent = cell
            return await super().async_execute_cell(cell, *rest, **options)

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "execute_input" and self.signals:
                # The signal came when the cell was sent, and a kernel without a cell ignores it.
                asyncio.get_running_loop().call_later(_BEGINS, self.interrupt)
            return super().process_message(msg, cell, cell_index)

        def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                _print(msg["content"]["name"], msg["content"]["text"])
            return super().output(outs, msg, display_id, cell_index)

    name = notebook.metadata.get("kernelspec", {}).get("name", NATIVE_KERNEL_NAME)
    if name not in KernelSpecManager().find_kernel_specs():
        sys.stderr.write(
            f"kogine: no kernel {name!r} here: the kernel of {sys.executable} runs it\n"
        )
        name = NATIVE_KERNEL_NAME

    save = _Saving(notebook, output)
    return Client(
        notebook, kernel_name=name, timeout=None, on_cell_executed=save, on_cell_error=save
    )


def _print(stream: str, text: str) -> None:
    found = sys.stderr if stream == "stderr" else sys.stdout
    if found is not None:
        found.write(text)
        found.flush()


class _Saving:
    """Saves a notebook after a cell, unless that would take more than a tenth of the time."""

    def __init__(self, notebook: Any, output: str) -> None:
        self._notebook, self._output, self._next = notebook, output, 0.0

    def __call__(self, **_: object) -> None:
        start = time.monotonic()
        if start >= self._next:
            _save(self._notebook, self._output)
            self._next = time.monotonic() + 9 * (time.monotonic() - start)


def _save(notebook: Any, output: str) -> None:
    import nbformat

    data = nbformat.writes(notebook, version=nbformat.NO_CONVERT).encode()
    try:
        os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
        replace_users_file(output, data)
    except OSError as error:
        raise UsageError(f"cannot write {output!r}: {error.strerror}") from error


@contextmanager
def _searching(folder: str) -> Iterator[None]:
    """Inside, a kernel finds modules in *folder*, that of the notebook, as a script does."""
    before = os.environ.get("PYTHONPATH")
    if os.path.realpath(folder) != os.path.realpath(os.getcwd()):
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *([before] if before else [])])
    try:
        yield
    finally:
        if before is not None:
            os.environ["PYTHONPATH"] = before
        else:
            os.environ.pop("PYTHONPATH", None)


def _cell_error(notebook: Any, error: Any) -> CellError:
    """The error of the cell that has failed, with the traceback that Jupyter shows."""
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    shown = next((one for one in reversed(outputs) if one.output_type == "error"), None)
    text = "\n".join(shown.traceback) if shown else str(error)
    return CellError.of(error.ename, error.evalue, f"{text}\n")

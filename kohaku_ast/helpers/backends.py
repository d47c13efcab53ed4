"""Sends what a script logs to other trackers as well: MLflow, TensorBoard, trackio, wandb.

Each has a file of its own (``wandb_backend``), which imports its library, and which is imported
when somebody names it; other packages add theirs as plug-ins. Numbers wait here for a second at
most: one call of ``logger.log`` takes microseconds, whatever a server takes.

State of this process: ``_begun_in``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import NamedTuple, Protocol
from uuid import uuid4

from kohaku_ast.helpers.run_context import current_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from kohaku_ast.plugins import Plugin

BACKENDS = ("mlflow", "tensorboard", "trackio", "wandb")
VARIABLE = "KOGINE_LOGGERS"
_MODES = ("offline", "online", "disabled")
"""What may follow ``wandb:``."""
_HOLDER = "_KOGINE_LOGGING"
"""The variable with the process that sends, and its run: a child of it does not send as well."""
_SECONDS, _MOST = 1.0, 1000
"""Numbers are sent after so many seconds, or if so many calls wait."""


class Point(NamedTuple):
    """What one call has logged."""

    step: int
    #: Seconds since the epoch.
    time: float
    numbers: dict[str, int | float]


class Backend(Protocol):
    """A run of one library."""

    #: The calls that ``send`` takes at once. After an error of one send nothing else is sent.
    most: int

    def send(self, points: list[Point]) -> None:
        """Hand over *points*, the oldest first."""

    def finish(self, status: str) -> None:
        """End the run: ``succeeded``, ``failed`` or ``interrupted``."""


class LoggedRun:
    """The run as backends show it."""

    def __init__(self, folder: str, project: str, config: Mapping[str, object]) -> None:
        """*folder*: of its record; empty if it has none."""
        facts = _read(folder)
        path = str(facts.get("work") or (sys.argv[0] if sys.argv else "") or "python")
        #: The script as it was typed; its name without the rest.
        self.script, stem = path, os.path.splitext(os.path.basename(path))[0] or "python"
        self.project, self.stem = project, stem
        self.folder = folder
        #: The name of the record; empty without one.
        self.record = os.path.basename(folder)
        is_own = not facts or bool(facts.get("standalone"))
        identity = str(facts.get("identity") or uuid4().hex)
        #: The label of the run; of a script outside of kogine, its name and a number.
        self.name = f"{stem}-{identity[:8]}" if is_own else str(facts["label"])
        flow = facts.get("flow") or {}
        #: The same text for all runs of one flow; empty outside of kogine.
        start = str(flow.get("start") or "").rpartition(":")[2]
        self.group = "" if is_own else f"{os.path.basename(path)} {flow.get('pid')}.{start}"
        self.config = {**config, **_values(facts, config)}

    def make_files(self) -> str:
        """A folder for its files: that of the run of kogine; empty if there is none."""
        run = current_run()
        return run.make_files() if run is not None and run.record else ""


def _read(folder: str) -> dict[str, Any]:
    if not folder:
        return {}
    try:
        with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _values(facts: Mapping[str, Any], known: Mapping[str, object]) -> dict[str, object]:
    """The parameters and overrides of a run that *known* lacks: full target -> value."""
    overrides = {one["target"]: one for one in facts.get("overrides") or []}
    params = facts.get("params") or {}
    # The arguments of the call that begins this run are parameters too.
    params = {name: one for name, one in params.items() if not name.startswith("logger.init")}
    forms = {**overrides, **params}
    return {name: _value(form) for name, form in forms.items() if name not in known}


def _value(form: Mapping[str, object]) -> object:
    if "json" in form:
        return form["json"]
    return next((str(form[one]) for one in ("python", "path", "repr") if one in form), "")


# --- which ones ----------------------------------------------------------------------------------


def wanted_backends(given: str | Iterable[str]) -> dict[str, str]:
    """Name -> what follows it behind a colon, for *given* and for ``KOGINE_LOGGERS``.

    Raises ValueError for an unknown one, with those that are near.
    """
    names = [given] if isinstance(given, str) else [*given]
    found = dict(_parsed(one, "logger.init") for one in names if one)
    for text in os.environ.get(VARIABLE, "").split(","):
        if text.strip():
            name, setting = _parsed(text.strip(), VARIABLE)
            found[name] = found.get(name) or setting
    return found


def _parsed(text: object, source: str) -> tuple[str, str]:
    if not isinstance(text, str):
        raise TypeError(f"{source}: a backend is a text such as 'wandb', got {text!r}")
    name, _, setting = text.partition(":")
    if name not in BACKENDS:
        plugins = _plugins()
        if name in plugins:
            return name, setting
        raise ValueError(_unknown(source, "backend", name, (*BACKENDS, *plugins)))
    modes = _MODES if name == "wandb" else ()
    if setting and setting not in modes:
        if not modes:
            raise ValueError(f"{source}: nothing may follow {name!r}, got {text!r}")
        raise ValueError(_unknown(source, f"mode of {name}", setting, modes))
    return name, setting


def _plugins() -> Mapping[str, Plugin]:
    """Backends of other packages; a script with one of ours does not pay for the look-up."""
    from kohaku_ast.plugins import find_plugins

    return find_plugins("loggers", BACKENDS)


def _unknown(source: str, what: str, name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), known, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{source}: unknown {what} {name!r} (expected one of: {', '.join(known)}).{hint}"


def _is_held(files: str) -> bool:
    """Whether a parent of this process sends what the run with the folder *files* logs."""
    pid, _, run = os.environ.get(_HOLDER, "").partition(" ")
    if pid in ("", str(os.getpid())) or run != files:
        return False
    is_forked = _begun_in is not None and _begun_in != os.getpid()
    return bool(files) or is_forked or _is_pool_worker()


def _is_pool_worker() -> bool:
    pool = sys.modules.get("multiprocessing.process")
    if pool is None:
        return False
    # The second one while it imports the script.
    is_importing = getattr(pool.current_process(), "_inheriting", False)
    return pool.parent_process() is not None or is_importing


_begun_in: int | None = None
"""The process in which backends have begun: this one, or one that has forked it."""


# --- sending -------------------------------------------------------------------------------------


class Backends:
    """The runs of all wanted libraries for one run of the script. For any thread."""

    def __init__(self, runs: Mapping[str, Backend]) -> None:
        self._open = dict(runs)
        #: Name -> what is not sent yet.
        self._waiting: dict[str, list[Point]] = {name: [] for name in runs}
        self._pid = os.getpid()
        # A handler of a signal may log while the lock is held below it.
        self._lock, self._is_sending = threading.RLock(), False
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    @classmethod
    def begin(cls, wanted: Mapping[str, str], run: LoggedRun) -> Backends:
        """Begin a run in each of *wanted*; a warning for each that cannot."""
        now = current_run()
        files = now.files if now is not None else ""
        if not wanted or _is_held(files):
            return cls({})
        global _begun_in
        _begun_in = os.getpid()
        os.environ[_HOLDER] = f"{_begun_in} {files}"
        found = {name: _begin(name, setting, run) for name, setting in wanted.items()}
        return cls({name: one for name, one in found.items() if one is not None})

    def log(self, step: int, time: float, numbers: Mapping[str, int | float]) -> None:
        """Have *numbers* sent, soon; a forked child's are not."""
        if not self._open or os.getpid() != self._pid:
            return
        point = Point(step, time, {name: _small(one) for name, one in numbers.items()})
        most = 0
        for waiting in [*self._waiting.values()]:
            waiting.append(point)
            most = max(most, len(waiting))
        if most >= _MOST:
            self.flush()
        elif self._thread is None:
            self._send_later()

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            if self._is_sending:
                return
            self._is_sending = True
            try:
                for name in [*self._open]:
                    self._attempt(name, lambda name=name: self._send(name))
            finally:
                self._is_sending = False

    def finish(self, error: BaseException | None) -> None:
        """Send what waits, and end the runs; *error* is what has ended the script."""
        if os.getpid() != self._pid:
            return
        self._ends.set()
        self.flush()
        status = "failed" if error is not None else "succeeded"
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else status
        with self._lock:
            while self._open:
                name, run = self._open.popitem()
                self._attempt(name, lambda run=run: run.finish(status))
            self._waiting.clear()

    def _send(self, name: str) -> None:
        run, waiting = self._open[name], self._waiting[name]
        while waiting:
            batch = waiting[: run.most]
            run.send(batch)
            del waiting[: len(batch)]  # afterwards: after a Ctrl-C the end sends them again

    def _attempt(self, name: str, act: Any) -> None:
        """Call *act*; after an error, which is a warning, the backend gets nothing more."""
        try:
            act()
        except Exception as error:
            self._open.pop(name, None)
            self._waiting.pop(name, None)
            _warn(f"logging to {name} failed: {_reason(error)}; the run goes on without it")

    def _send_later(self) -> None:
        def send() -> None:
            self._ends.wait(_SECONDS)
            self._thread = None  # what is logged from here on gets a thread of its own
            self.flush()

        thread = threading.Thread(target=send, name="kogine-logger", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends
            self._thread = None
            self.flush()


def _begin(name: str, setting: str, run: LoggedRun) -> Backend | None:
    install = f'pip install "kohaku-ast[{name}]"'
    try:
        found: Backend = _opener(name)(run, setting)
    except ImportError as error:
        if name not in BACKENDS:  # it names the package, the entry point and the reason
            _warn(f"cannot log to {name}: {error}; the run goes on without it")
            return None
        missing = str(error.name or error).partition(".")[0]
        _warn(f"logging to {name} needs {missing}: {install}; the run goes on without it")
    except Exception as error:
        _warn(f"cannot log to {name}: {_reason(error)}; the run goes on without it")
    else:
        return found
    return None


def _opener(name: str) -> Callable[[LoggedRun, str], Backend]:
    if name not in BACKENDS:
        return _plugins()[name].call
    return import_module(f"kohaku_ast.helpers.{name}_backend").begin  # type: ignore[no-any-return]


def _reason(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def _small(number: int | float) -> int | float:
    """*number*, as a float if it is an integer that other programs cannot hold."""
    if isinstance(number, float) or abs(number) <= 2**53:
        return number
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _warn(text: str) -> None:
    """Warn at the line of the script that logs."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and "kohaku_ast.helpers" in str(frame.f_globals.get("__name__")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, RuntimeWarning, stacklevel=level)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Inside, these variables are set, unless the user has set them."""
    mine = {name: text for name, text in variables.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)

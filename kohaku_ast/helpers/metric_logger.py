"""``logger``: a script logs numbers, whichever way it runs.

In a run of kogine they go to ``metrics.jsonl`` of its record, where the live table, searches and
``kogine runs`` find them; elsewhere to a record of their own (``standalone``).
"""

from __future__ import annotations

import os
import sys
import time
from _thread import allocate_lock
from math import isfinite

from kohaku_ast.helpers.run_context import current_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from kohaku_ast.helpers.backends import Backends
    from kohaku_ast.helpers.run_context import CurrentRun
    from kohaku_ast.helpers.standalone import StandaloneRun

SERIES = "metrics.jsonl"
_MODE = 0o600


class Session:
    """What a logger knows of one script; kogine gives each that it runs in its own process one."""

    def __init__(self) -> None:
        self.project, self.config = "", dict[str, object]()
        self.shows = False
        #: Folder of a record -> the next step there, for calls without one.
        self.steps: dict[str, int] = {}
        #: The record of this process, if it is in no run of kogine.
        self.own: StandaloneRun | None = None
        self.wanted: str | Sequence[str] = ()
        #: Folder of a record -> what sends its numbers elsewhere; None: nobody does.
        self.backends: dict[str, Backends | None] = {}
        self.lock = allocate_lock()
        #: What has ended something before this began, such as a cell of a notebook.
        self._before = getattr(sys, "last_value", None)

    def begin_record(self) -> None:
        """Make the record of this process, once, whichever thread logs first."""
        from kohaku_ast.helpers.standalone import StandaloneRun

        with self.lock:
            if self.own is None:
                self.own = StandaloneRun.begin(self.project, _texts(self.config))
        self.end_with_script()

    def begin_backends(self, folder: str) -> Backends | None:
        """What sends the numbers of the run with the record *folder*, which begins now; None in a
        worker process of a pipeline: the process that has the run sends them.
        """
        run = current_run()
        if run is not None and run.is_elsewhere:
            return None
        if not self.wanted and not os.environ.get("KOGINE_LOGGERS"):
            self.backends[folder] = None
            return None
        from kohaku_ast.helpers.backends import Backends, LoggedRun, wanted_backends

        wanted = wanted_backends(self.wanted)
        with self.lock:
            if folder not in self.backends:
                shown = LoggedRun(folder, self.project, self.config)
                self.backends[folder] = Backends.begin(wanted, shown)
        self.end_with_script()  # again: before the exit functions of these libraries
        return self.backends[folder]

    def end_with_script(self) -> None:
        """Have ``end`` called at the end of the script, before what was registered so far."""
        import atexit

        atexit.unregister(self._end_at_exit)
        atexit.register(self._end_at_exit)

    def _end_at_exit(self) -> None:
        # Python has set it, if it has printed the traceback of an uncaught exception.
        error = getattr(sys, "last_value", None)
        self.end(error if error is not self._before else None)

    def end_run(self, folder: str, error: BaseException | None) -> None:
        """End the runs elsewhere of the run with the record *folder*, which *error* has ended."""
        backends = self.backends.pop(folder, None)
        if backends is not None:
            backends.finish(error)

    def end(self, error: BaseException | None) -> None:
        """End the record and the runs elsewhere; *error* is what ends the script."""
        if isinstance(error, (SystemExit, GeneratorExit)) and not getattr(error, "code", None):
            error = None
        backends, self.backends = self.backends, {}
        for one in backends.values():
            if one is not None:
                one.finish(error)
        own, self.own = self.own, None
        if own is not None:
            own.end(error)
            self.steps.pop(own.folder, None)


class Logger:
    """Logs numbers by name: ``logger.log({"loss": 0.1}, step=3)``."""

    def __init__(self) -> None:
        self.session = Session()
        self._encode: Callable[[object], str] | None = None

    def __reduce__(self) -> str | tuple[type[Logger], tuple[()]]:
        """In another process the logger of that process, which has files of its own."""
        return "logger" if self is logger else (Logger, ())

    def init(
        self,
        project: str = "",
        config: Mapping[str, object] | None = None,
        *,
        console: bool = False,
        backends: str | Sequence[str] = (),
    ) -> Logger:
        """Begin to log; returns the logger itself. A script may leave it out.

        *project*: the name of what the runs belong to. *config*: name -> setting, kept with the
        run. *console*: print the numbers; then a script outside of kogine leaves no record.
        *backends*: where the numbers go as well, with those of ``KOGINE_LOGGERS``: ``mlflow``,
        ``tensorboard``, ``trackio``, ``wandb``, which is offline unless it is ``wandb:online``.

        Raises TypeError for a config that is no mapping, ValueError for an unknown backend.
        """
        settings = {} if config is None else dict(_flat(_mapping("config", config)))
        if backends:
            from kohaku_ast.helpers.backends import wanted_backends

            wanted_backends(backends)
        self.finish()
        now = self.session
        now.project, now.config = str(project), settings
        now.shows, now.wanted = console, backends
        folder = self._folder()
        if folder and (settings or project):
            fields = {"project": now.project, "config": _texts(settings)}
            self._write(folder, time.time(), fields)
        now.begin_backends(folder)
        return self

    def log(self, numbers: Mapping[str, object], step: int | None = None) -> None:
        """Log *numbers*: name -> int, float, or an array or tensor of one number. Mappings inside
        are joined by ``/``: ``{"val": {"loss": 1}}`` is ``val/loss``.

        *step*: without it 0, 1, 2 ..., going on behind the last step that was given.

        Raises TypeError, before anything is logged, that names what is no number.
        """
        found = {name: _number(name, one) for name, one in _flat(_mapping("numbers", numbers))}
        folder, session = self._folder(), self.session
        run = current_run()
        node = run if run is not None and run.node else None
        step, at = self._next_step(folder, step, node), time.time()
        if folder in session.backends:
            backends = session.backends[folder]
        else:
            backends = session.begin_backends(folder)
        if folder and found:
            inside = {} if node is None else _place_of(node)
            self._write(folder, at, {"step": step, **inside, "metrics": found})
        if backends is not None and found:
            backends.log(step, round(at, 3), found)
        if session.shows:
            shown = " ".join(f"{name}={one:.6g}" for name, one in found.items())
            print(f"step {step}: {shown}", flush=True)

    def send_on(self, folder: str, point: Mapping[str, Any]) -> None:
        """Send *point*, which another process has logged to the record *folder*, to backends."""
        backends = self.session.backends.get(folder) or self.session.begin_backends(folder)
        if backends is not None:
            backends.log(point["step"], point["time"], point["metrics"])

    def finish(self) -> None:
        """End the record of a script outside of kogine, and the runs of backends: failed, if an
        exception is being handled. At the end of the script that happens by itself.
        """
        self.session.end(sys.exc_info()[1])

    def _folder(self) -> str:
        """The folder of the record to write to; empty if there is none."""
        run, session = current_run(), self.session
        if run is not None:
            return run.record
        if session.shows:
            return ""
        if session.own is None:
            session.begin_record()
        return session.own.folder if session.own is not None else ""

    def _next_step(self, folder: str, step: int | None, node: CurrentRun | None) -> int:
        if step is None:
            step = node.next_step if node is not None else self.session.steps.get(folder, 0)
        elif isinstance(step, bool) or not hasattr(type(step), "__index__"):
            raise TypeError(f"logger.log: step is a whole number, got {step!r}")
        elif step < 0:
            raise ValueError(f"logger.log: step is at least 0, got {step}")
        if node is not None:  # each call of a node counts for itself
            node.next_step = int(step) + 1
        else:
            self.session.steps[folder] = int(step) + 1
        return int(step)

    def _write(self, folder: str, at: float, fields: dict[str, Any]) -> None:
        if self._encode is None:
            import json

            self._encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
        if "metrics" in fields:
            fields["metrics"] = as_json(fields["metrics"])
        line = self._encode({"time": round(at, 3), "logged": True, **fields}) + "\n"
        data = line.encode("utf-8", "replace")
        # Opened anew: between two attempts at a run kogine moves the file aside.
        try:
            file = os.open(os.path.join(folder, SERIES), _FLAGS, _MODE)
        except OSError as error:
            self._warn(folder, error)
            return
        try:
            # One call: lines of several processes do not mix.
            os.write(file, data)
        except OSError as error:
            self._warn(folder, error)
        finally:
            os.close(file)

    def _warn(self, folder: str, error: OSError) -> None:
        import warnings

        text = f"cannot log to {folder!r}: {error.strerror or error}; the run goes on without"
        warnings.warn(text, RuntimeWarning, stacklevel=4)


_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_APPEND

logger = Logger()
"""The logger of this process."""


def _place_of(run: CurrentRun) -> dict[str, object]:
    """The fields that say where in a pipeline a number was logged."""
    return {"node": run.node, **({"process": os.getpid()} if run.is_elsewhere else {})}


def _mapping(what: str, given: object) -> Mapping[Any, object]:
    if isinstance(given, dict) or hasattr(given, "items"):
        return given  # type: ignore[return-value]
    raise TypeError(f"logger: {what} is a mapping from names, got {given!r}")


def _flat(given: Mapping[Any, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in given.items():
        if not isinstance(name, str):
            raise TypeError(f"logger: a name is a text, got {name!r} in {prefix or 'the mapping'}")
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _number(name: str, value: object) -> int | float:
    """*value* as an int or a float. Raises TypeError, which names it, for another one."""
    item = getattr(value, "item", None)
    try:
        plain: Any = item() if callable(item) and not isinstance(value, type) else value
    except Exception:  # an array of several, whatever its library raises then
        plain = None
    if isinstance(plain, int):
        return int(plain)
    if plain is None or isinstance(plain, (str, bytes)) or not hasattr(type(plain), "__float__"):
        shown = repr(value)
        shown = shown if len(shown) < 100 else f"{shown[:99]}…"
        raise TypeError(f"logger.log: {name!r} is no number: {shown}")
    return float(plain)


def as_json(numbers: Mapping[str, Any]) -> dict[str, object]:
    """*numbers*, with texts for ``nan``, ``inf`` and ``-inf``, which JSON has not."""
    return {
        name: str(one) if isinstance(one, float) and not isfinite(one) else one
        for name, one in numbers.items()
    }


def _texts(settings: Mapping[str, object]) -> dict[str, object]:
    """*settings*, with the ``repr`` of what JSON cannot hold, without addresses."""
    found: dict[str, object] = {}
    for name, one in settings.items():
        is_plain = one is None or isinstance(one, (bool, int, str))
        is_finite = isinstance(one, float) and isfinite(one)
        found[name] = one if is_plain or is_finite else _without_addresses(repr(one))
    return found


def _without_addresses(text: str) -> str:
    if " at 0x" not in text:
        return text
    import re

    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)

"""``logger``: a script logs numbers, whichever way it runs.

In a run of kogine they go to ``metrics.jsonl`` of its record, where the live table, searches and
``kogine runs`` find them; elsewhere to a record of their own (``standalone``).
"""

from __future__ import annotations

import os
import time
from math import isfinite

from kohaku_ast.helpers.run_context import current_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from kohaku_ast.helpers.standalone import StandaloneRun

SERIES = "metrics.jsonl"
_MODE = 0o600


class Logger:
    """Logs numbers by name: ``logger.log({"loss": 0.1}, step=3)``."""

    def __init__(self) -> None:
        self._project, self._config = "", dict[str, object]()
        self._shows = False
        #: Folder of a record -> the next step there, for calls without one.
        self._steps: dict[str, int] = {}
        #: The record of this process, if it is in no run of kogine.
        self._own: StandaloneRun | None = None
        self._encode: Callable[[object], str] | None = None

    def init(
        self,
        project: str = "",
        config: Mapping[str, object] | None = None,
        *,
        console: bool = False,
    ) -> Logger:
        """Begin to log; returns the logger itself. A script may leave it out.

        *project*: the name of what the runs belong to. *config*: name -> setting, kept with the
        run. *console*: print the numbers; then a script outside of kogine leaves no record.

        Raises TypeError for a config that is no mapping.
        """
        settings = {} if config is None else dict(_flat(_mapping("config", config)))
        self.finish()
        self._project, self._config = str(project), settings
        self._shows = console
        folder = self._folder()
        if folder and (settings or project):
            self._write(folder, {"project": self._project, "config": _texts(settings)})
        return self

    def log(self, numbers: Mapping[str, object], step: int | None = None) -> None:
        """Log *numbers*: name -> int, float, or an array or tensor of one number. Mappings inside
        are joined by ``/``: ``{"val": {"loss": 1}}`` is ``val/loss``.

        *step*: without it 0, 1, 2 ..., going on behind the last step that was given.

        Raises TypeError, before anything is logged, that names what is no number.
        """
        found = {name: _number(name, one) for name, one in _flat(_mapping("numbers", numbers))}
        folder = self._folder()
        step = self._next_step(folder, step)
        if folder and found:
            self._write(folder, {"step": step, "metrics": found})
        if self._shows:
            shown = " ".join(f"{name}={one:.6g}" for name, one in found.items())
            print(f"step {step}: {shown}", flush=True)

    def finish(self) -> None:
        """End the record of a script outside of kogine; under kogine it ends with the script."""
        own, self._own = self._own, None
        if own is not None:
            own.end()
            self._steps.pop(own.folder, None)

    def _folder(self) -> str:
        """The folder of the record to write to; empty if there is none."""
        run = current_run()
        if run is not None:
            return run.record
        if self._shows:
            return ""
        if self._own is None or self._own.pid != os.getpid():
            from kohaku_ast.helpers.standalone import StandaloneRun

            # Of a forked child: what the parent has begun is the parent's.
            parents = self._own is not None
            self._own = None if parents else StandaloneRun.begin(self._project, self._config)
        return self._own.folder if self._own is not None else ""

    def _next_step(self, folder: str, step: int | None) -> int:
        if step is None:
            step = self._steps.get(folder, 0)
        elif isinstance(step, bool) or not hasattr(type(step), "__index__"):
            raise TypeError(f"logger.log: step is a whole number, got {step!r}")
        self._steps[folder] = int(step) + 1
        return int(step)

    def _write(self, folder: str, fields: dict[str, Any]) -> None:
        if self._encode is None:
            import json

            self._encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
        if "metrics" in fields:
            fields["metrics"] = _as_json(fields["metrics"])
        line = self._encode({"time": round(time.time(), 3), "logged": True, **fields}) + "\n"
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


def _as_json(numbers: Mapping[str, int | float]) -> dict[str, object]:
    """*numbers*, with texts for ``nan``, ``inf`` and ``-inf``, which JSON has not."""
    return {
        name: str(one) if isinstance(one, float) and not isfinite(one) else one
        for name, one in numbers.items()
    }


def _texts(settings: Mapping[str, object]) -> dict[str, object]:
    """*settings*, with the ``repr`` of what JSON cannot hold."""
    found: dict[str, object] = {}
    for name, one in settings.items():
        is_plain = one is None or isinstance(one, (bool, int, str))
        is_finite = isinstance(one, float) and isfinite(one)
        found[name] = one if is_plain or is_finite else repr(one)
    return found

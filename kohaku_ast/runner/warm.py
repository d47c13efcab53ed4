"""Warm runs: forked from an interpreter that has imported the script's libraries already."""

from __future__ import annotations

import marshal
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.shipment import pack
from kohaku_ast.runner.warm_process import WarmProcess, parent_group
from kohaku_ast.runner.warmed import Warmed
from kohaku_ast.transform.find.modules import LibraryImport

_PER_RUN = (
    "KOGINE_", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
)  # fmt: skip
"""Variables that differ from run to run, and that libraries read when they are used first."""

_MOST = 4
"""Servers that are kept, each with its own environment or working folder."""


class WarmServer:
    """Starts the runs of one script. For any thread; close it at the end."""

    def __init__(
        self,
        launch: Launch,
        imports: Sequence[LibraryImport],
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """*imports*: as ``third_party_imports`` gives them. *env* is that of runs that have none
        of their own. *say* is told what the user should know, once.
        """
        self._launch, self._imports, self._env = launch, tuple(imports), env
        self._say, self._said = say or _print, set[str]()
        self._lock = threading.Lock()
        self._servers: dict[object, WarmProcess] = {}
        self._broken: set[object] = set()
        self._is_closed = False

    @staticmethod
    def is_available() -> bool:
        """Whether this system can fork."""
        return hasattr(os, "fork") and sys.platform not in ("win32", "emscripten", "wasi")

    def start(
        self,
        bound: Bound,
        *,
        wants_value: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        new_session: bool = False,
        data: bytes | None = None,
        asked: Callable[[Warmed], None] = lambda run: None,
    ) -> Warmed:
        """Start a run; None is what this process has. Comes back when there is a process: the
        first time, when everything is imported. *asked* gets what waits for that meanwhile.
        *data* is *bound* if it has been packed before.

        Raises UncrossableValue if a value cannot be sent.
        """
        own = dict(env if env is not None else self._env if self._env is not None else os.environ)
        folder = _folder(cwd)
        streams = [_open(number, place) for place, number in enumerate((stdin, stdout, stderr))]
        data = pack(bound, wants_value) if data is None else data
        job = marshal.dumps((data, folder, own, parent_group(new_session)))
        imports = self._imports if _suits(bound) else ()
        while True:
            server, has_imports = self._server(folder, own, imports)
            run = server.ask(job, streams, new_session)
            asked(run)
            if run.await_begin() or self._is_given_up(run) or server.is_ready or not has_imports:
                return run
            self._break(folder, own, run)

    def _is_given_up(self, run: Warmed) -> bool:
        return self._is_closed or run.is_cancelled

    def close(self) -> None:
        """End the servers, and what still runs."""
        with self._lock:
            self._is_closed = True
            servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            server.close()

    def __enter__(self) -> WarmServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _server(
        self, folder: str, env: Mapping[str, str], imports: tuple[LibraryImport, ...]
    ) -> tuple[WarmProcess, bool]:
        """The one for such runs, and whether it has imports; a dead one is replaced."""
        key = _key(folder, env)
        with self._lock:
            imports = () if key in self._broken else imports
            found = self._servers.pop((key, imports), None)
            if found is None or found.has_ended:
                self._make_room()
                found = WarmProcess(self._launch, imports, env, folder, self._say_once)
            self._servers[key, imports] = found  # the last one used comes last
            return found, bool(imports)

    def _make_room(self) -> None:
        """Close the idle one that was used longest ago, if there are enough."""
        if len(self._servers) >= _MOST:
            idle = next((key for key, one in self._servers.items() if one.is_idle), None)
            if idle is not None:
                self._servers.pop(idle).close()

    def _break(self, folder: str, env: Mapping[str, str], run: Warmed) -> None:
        """Its imports have ended a server: the next ones do without."""
        error = run.wait().error
        with self._lock:
            self._broken.add(_key(folder, env))
        self._say_once(
            f"warm: {error.message if error else ''} while it imported what "
            f"{self._launch.shown} imports: its runs import it themselves"
        )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _folder(cwd: str | None) -> str:
    """Where a run starts; empty if our own folder has been removed, which is no folder's name."""
    try:
        return os.path.abspath(cwd or os.getcwd())
    except FileNotFoundError:
        return ""


def _key(folder: str, env: Mapping[str, str]) -> object:
    """Libraries may read anything of these when they are imported."""
    return folder, frozenset(one for one in env.items() if not one[0].startswith(_PER_RUN))


def _suits(bound: Bound) -> bool:
    """Whether no module that has overrides of its own may have been imported already."""
    folder = os.path.join(bound.launch.path0, "")
    files = (file for file, _ in bound.prepared.modules.values())
    return all(os.path.realpath(file).startswith(folder) for file in files)


def _open(number: int | None, place: int) -> int:
    """The descriptor to send for *number*; -1 if it is closed."""
    wanted = place if number is None else number
    try:
        # One that is not inheritable was closed when we were started: something of ours has come
        # to lie in its place.
        is_open = number is not None or os.get_inheritable(place)
        os.fstat(wanted)
    except OSError:
        return -1
    return wanted if is_open else -1


def _print(text: str) -> None:
    print(f"kogine: warning: {text}", file=sys.stderr)

"""A dataflow that runs: the process of ``dora run``, or of ``dora logs`` at a coordinator."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

from kohaku_ast.errors import SystemFailed, SystemsError
from kohaku_ast.pipeline.failure import RemoteTraceback
from kohaku_ast.runner.transport import load_raised
from kohaku_ast.systems.engine import Handle
from kohaku_ast.systems.rebuild import MAIN, REPORT
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TIED = (
    "import os, sys; from kohaku_ast.runner.process_exit import die_with_parent; "
    "die_with_parent(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
)
"""Becomes a command that the system kills when the process that launched it is killed."""
_GRACE = 5.0
"""Seconds that nodes have to end after a stop; then they are killed."""
_LOOK = 0.5
"""Seconds between two looks at what goes on, and for the last lines of the log to arrive."""
_ASK = 10.0
"""Seconds between questions to the coordinator while nodes run."""
_GONE = 60.0
"""Seconds without an answer after which there is no coordinator any more."""
_REFUSED = "429 Too Many Requests"
"""A coordinator takes 20 commands a minute from another machine."""
_TRIES, _PAUSE = 25, 3.0
"""How often a command is given that it has refused, and the seconds between two tries."""
_TAIL = 20


class Coordinator:
    """The coordinator of Dora at HOST:PORT."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise SystemsError(
                f"dora://{address}: name the host and the port of the coordinator: "
                "dora://127.0.0.1:6013"
            )
        #: The options that lead a command of dora there.
        self.options = ("--coordinator-addr", host, "--coordinator-port", port)


class DoraHandle(Handle):
    """A system that runs as a dataflow."""

    def __init__(
        self,
        dora: str,
        path: str,
        name: str,
        nodes: Mapping[str, list[str]],
        coordinator: Coordinator | None,
        environment: dict[str, str],
        temporary: str,
    ) -> None:
        """*nodes* has the components of each node; *temporary* is a folder to remove at the end."""
        self._dora, self._name, self._nodes = dora, name, nodes
        self._coordinator, self._environment, self._temporary = coordinator, environment, temporary
        self._reports: dict[str, dict[str, Any]] = {}
        self._dead: dict[str, str] = {}
        self._lines: list[str] = []
        self._other: list[str] = []
        self._is_stopping = self._is_ended = self._is_refused = False
        self._flow = f"kogine-{uuid.uuid4().hex[:8]}"
        self._process = self._begin(path)
        self._ended = threading.Event()
        try:
            threading.Thread(target=self._read, name=f"system {name}").start()
        except BaseException:  # Ctrl-C: nobody gets this Handle, which could stop it
            self._process.send_signal(signal.SIGINT)
            raise
        if coordinator is not None:
            threading.Thread(target=self._end_with_flow, args=(coordinator,)).start()

    @property
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``stopped``."""
        if not self._ended.is_set():
            return "running"
        if self._problem():
            return "failed"
        return "stopped" if self._is_stopping else "succeeded"

    @property
    def steps(self) -> Mapping[str, int]:
        """Component -> its steps, of the nodes that have ended."""
        done = {
            name: one
            for report in self._reports.values()
            for name, one in report.get("steps", {}).items()
        }
        return {
            name: done[name] for names in self._nodes.values() for name in names if name in done
        }

    @public
    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end and return the status; raises what a component raised, or SystemFailed
        for a node that died.
        """
        # Not join(): Ctrl-C in it leaves a thread that runs as one that has ended.
        if not self._ended.wait(timeout):
            raise TimeoutError(f"system {self._name!r} still runs after {timeout:g} s")
        problem = self._problem()
        if problem:
            raise self._error(problem)
        return self.status

    def stop(self) -> None:
        """Have Dora stop all nodes. What is on its way between them is lost."""
        if self._is_stopping or self._ended.is_set():
            return
        self._is_stopping = True
        self._stop()

    def logs(self) -> str:
        """What the components print, and what Dora says of the nodes, a line each."""
        return "".join(f"{line}\n" for line in self._lines)

    def _begin(self, path: str) -> subprocess.Popen[bytes]:
        if self._coordinator is None:
            return self._started("run", path, "--log-format", "json")
        options = self._coordinator.options
        done = self._call("start", path, "--detach", "--name", self._flow, *options)
        if done.returncode:
            raise SystemsError(f"dora start failed: {_first_lines(done.stderr or done.stdout)}")
        return self._following()

    def _following(self) -> subprocess.Popen[bytes]:
        """What follows the log of the dataflow at the coordinator."""
        assert self._coordinator is not None
        options = self._coordinator.options
        return self._started(
            "logs", self._flow, "--all-nodes", "--follow", "--log-format", "json", *options
        )

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        command = [self._dora, *words]
        if threading.current_thread() is threading.main_thread():  # the system means the thread
            command = [sys.executable, "-c", _TIED, str(os.getpid()), *command]
        # A session of its own: Ctrl-C is for us, and a second one would have Dora kill its nodes.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        for _ in range(_TRIES):
            done = subprocess.run(
                [self._dora, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                env=self._environment, check=False,
            )  # fmt: skip
            if not done.returncode or _REFUSED not in done.stderr:
                break
            time.sleep(_PAUSE)
        return done

    def _read(self) -> None:
        """Read what Dora prints until it ends; stop the other nodes after a failure."""
        try:
            self._read_lines()
            self._process.wait()
            while self._is_refused:
                self._is_refused = False
                time.sleep(_PAUSE)
                self._process = self._following()
                self._read_lines()
                self._process.wait()
            if self._temporary:
                shutil.rmtree(self._temporary, ignore_errors=True)
        finally:
            self._ended.set()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for data in self._process.stdout:
            self._take(data.decode("utf-8", "replace").rstrip("\n"))
            if not self._is_ended and (self._dead or self._failed_reports()):
                self._is_ended = True
                self._stop()
        self._process.stdout.close()

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            node, message = entry["node_id"], str(entry["message"])
        except (ValueError, TypeError, KeyError):
            self._other = [*self._other[1 - _TAIL :], line]
            self._is_refused = self._is_refused or _REFUSED in line
            return
        if message.startswith(REPORT):
            report = json.loads(message.removeprefix(REPORT))
            self._reports[report["node"]] = report
        elif entry["level"] in ("stdout", "stderr"):
            self._lines.append(f"{node}: {message}")
            stream = sys.stdout if entry["level"] == "stdout" else sys.stderr
            print(message, file=stream, flush=True)
        elif entry["level"] in ("WARN", "ERROR") and node is not None:
            self._lines.append(f"{node}: {message}")
            if entry["level"] == "ERROR":
                self._dead.setdefault(node, message)

    def _stop(self) -> None:
        if self._coordinator is not None:
            threading.Thread(target=self._stop_by_coordinator).start()
            return
        self._process.send_signal(signal.SIGINT)
        threading.Thread(target=self._kill_late, daemon=True).start()

    def _stop_by_coordinator(self) -> None:
        assert self._coordinator is not None
        grace = f"{_GRACE:g}s"
        self._call("stop", self._flow, "--grace-duration", grace, *self._coordinator.options)
        self._kill_late()

    def _kill_late(self) -> None:
        try:
            self._process.wait(2 * _GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _end_with_flow(self, coordinator: Coordinator) -> None:
        """End what follows the log some time after the dataflow: it would go on for ever."""
        asked = answered = time.monotonic()
        while not self._ended.wait(_LOOK):
            is_over = self._nodes.keys() <= {*self._reports, *self._dead}
            if not is_over and time.monotonic() < asked + _ASK:
                continue
            asked = time.monotonic()
            done = self._call("list", "--format", "json", *coordinator.options)
            if done.returncode and asked < answered + _GONE:
                continue
            answered = asked
            rows = [json.loads(one) for one in done.stdout.splitlines() if one.startswith("{")]
            found = [one["status"] for one in rows if one["name"] == self._flow]
            if done.returncode or found != ["Running"]:
                time.sleep(_LOOK)
                self._process.terminate()
                return

    def _failed_reports(self) -> list[dict[str, Any]]:
        """The errors of nodes; first those of components, then messages that were lost for them."""
        errors = [one["error"] for one in self._reports.values() if "error" in one]
        return sorted(errors, key=lambda one: one["is_lost"])

    def _problem(self) -> dict[str, Any]:
        """What has failed first, as far as anybody can say; empty if nothing has."""
        errors = self._failed_reports()
        if errors and not errors[0]["is_lost"]:
            return errors[0]
        killed = {name: one for name, one in self._dead.items() if name not in self._reports}
        for node, message in killed.items():
            names = ", ".join(self._nodes.get(node, ()))
            return {"text": f"the node {node!r} ({names}) ended: {message}"}
        if errors:
            return errors[0]
        missing = [name for name in self._nodes if name not in self._reports]
        if missing and not self._is_stopping:
            said = "\n".join(self._other[-_TAIL:])
            return {"text": f"the node {missing[0]!r} did not say how it ended. dora says:\n{said}"}
        return {}

    def _error(self, problem: Mapping[str, Any]) -> BaseException:
        if problem.get("raised"):
            error = _raised(base64.b64decode(problem["raised"]))
            if error is not None:
                error.__cause__ = RemoteTraceback(problem["trace"])
                return error
        component = problem.get("component")
        where = f"in component {component!r}: " if component else ""
        trace = f"\n{problem['trace']}" if component else ""
        return SystemFailed(f"system {self._name!r} failed: {where}{problem['text']}{trace}")


def _raised(data: bytes) -> BaseException | None:
    """The exception of a node; classes of the file with the system are those of ``__main__``."""
    is_ours = MAIN not in sys.modules
    sys.modules.setdefault(MAIN, sys.modules["__main__"])
    try:
        return load_raised(data)
    finally:
        if is_ours:
            del sys.modules[MAIN]


def _first_lines(text: str) -> str:
    return "\n".join([one for one in text.splitlines() if one.strip()][:8])

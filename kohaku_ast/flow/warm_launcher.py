"""The mode ``warm``: runs are forked from a server that has imported the script's libraries."""

from __future__ import annotations

import sys
from typing import Any

from kohaku_ast.flow.launchers import Handle, ProcessLauncher
from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.spawned import Spawned
from kohaku_ast.runner.warm import WarmServer
from kohaku_ast.transform.source import decode
from kohaku_ast.transform.third_party import third_party_imports


class WarmLauncher(ProcessLauncher):
    """One WarmServer for each script; fresh interpreters where the system cannot fork."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._servers: dict[str, WarmServer] = {}
        self._is_available = WarmServer.is_available()
        if not self._is_available:
            print("kogine: this system cannot fork: warm runs are spawned", file=sys.stderr)

    def begin(self, bound: Bound, **options: Any) -> Handle:
        """Fork one; the server is started when its first run is."""
        if not self._is_available:
            return Spawned(bound, **options)
        return self._server(bound.launch).start(bound, **options)

    def close(self) -> None:
        """End the servers."""
        super().close()
        for server in self._servers.values():
            server.close()

    def _server(self, launch: Launch) -> WarmServer:
        if launch.filename not in self._servers:
            source = decode(launch.data, launch.filename, launch.path0, launch.package)
            self._servers[launch.filename] = WarmServer(launch, third_party_imports(source))
        return self._servers[launch.filename]

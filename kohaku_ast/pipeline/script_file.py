"""The file of a script node: its text as it is now, and what was compiled of it."""

from __future__ import annotations

from kohaku_ast.pipeline.script_names import ScriptNames, find_names
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.job import launch_of, launch_parts
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.overrides import Override

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.script_text import ScriptTexts
    from kohaku_ast.transform.find.source import Source


class ScriptFile:
    """Shared by a node and its copies. Raises SourceError, and SyntaxError as ``compile`` does.

    The text is read again for each run, as ``Script.run`` does; what was compiled serves until
    it has changed. In another process it is the text that was sent.
    """

    def __init__(self, path: str, entrypoint: str = "") -> None:
        self.entrypoint = entrypoint
        #: What the text says.
        self.names: ScriptNames
        #: Whether it came from another process: then it was checked there.
        self.is_sent = False
        self._texts: ScriptTexts | None = None
        self._take(Launch(path))
        self.names = find_names(source_of(self.launch))

    def _take(self, launch: Launch) -> None:
        self.launch = launch
        #: Remembers which modules are the script's own.
        self.local = LocalModules(launch.path0)
        self._binder = Binder(launch, (), self.entrypoint, capture=True)

    def binder(self) -> Binder:
        """What binds the text, as it is now, to values. Raises SourceError if it is gone."""
        if not self.is_sent:
            now = self._read()
            if now.data != self.launch.data:
                self._take(now)
        return self._binder

    def check(self, targets: list[str]) -> None:
        """Raise UnknownTarget and the like for *targets* that the script does not have."""
        if targets:
            self._binder.check([Override(one, None, "script(inputs=...)") for one in targets])

    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Of the text, and of those of the user's modules that it imports, as they are now."""
        if self._texts is None:
            from kohaku_ast.pipeline.script_text import ScriptTexts

            self._texts = ScriptTexts(self.launch)
        return self._texts.digests()

    def _read(self) -> Launch:
        """The file, wherever the working folder is by now."""
        now = Launch(self.launch.filename)
        now.shown, now.argv = self.launch.shown, self.launch.argv
        now.filename, now.path0 = self.launch.filename, self.launch.path0
        return now

    def __getstate__(self) -> dict[str, Any]:
        self.binder()
        return {
            "entrypoint": self.entrypoint,
            "names": self.names,
            "launch": launch_parts(self.launch),
            "data": self.launch.data,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        launch = launch_of(state["launch"])
        launch.data = state["data"]
        self.entrypoint, self.names = state["entrypoint"], state["names"]
        self._texts = None
        self._take(launch)
        self.is_sent = True


def source_of(launch: Launch) -> Source:
    """The text of *launch*."""
    from kohaku_ast.transform.find.source import decode

    return decode(launch.data, launch.filename, launch.path0, launch.package)

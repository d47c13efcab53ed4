"""The Programs of one script and of its modules: each is read and made once for a whole sweep.

On the warm path.
"""

from __future__ import annotations

from kohaku_ast.transform.program.load import load_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.program.program import Program, Request


class Programs:
    """What has been compiled so far. A file is read once, so that all runs see one text."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._made: dict[object, Program] = {}
        self._modules: dict[str, bytes] = {}

    def of_script(self, request: Request) -> Program:
        """The script's; raises what ``load_program`` does."""
        key, launch = request.key(), self.launch
        if key not in self._made:
            self._made[key] = load_program(
                launch.data, launch.filename, request, launch.path0, launch.package
            )
        return self._made[key]

    def of_module(self, file: str, request: Request) -> Program:
        """That of the module in *file*; raises what ``load_program`` does."""
        key = file, request.key()
        if key not in self._made:
            if file not in self._modules:
                from kohaku_ast.runner.launch import Launch

                self._modules[file] = Launch(file).data
            self._made[key] = load_program(self._modules[file], file, request)
        return self._made[key]

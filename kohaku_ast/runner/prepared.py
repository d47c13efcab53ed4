"""A script with its overrides, ready to run: its own Program and those of its modules.

On the warm path.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kohaku_ast.transform.program.bound_program import BoundProgram
    from kohaku_ast.transform.program.program import Program


class Prepared:
    """Everything that has to be known before the first line runs."""

    __slots__ = ("given", "modules")

    def __init__(
        self, given: BoundProgram, modules: Mapping[str, tuple[str, BoundProgram]]
    ) -> None:
        #: The script.
        self.given = given
        #: Module name -> its file, and the module under its overrides.
        self.modules = modules

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.given.program

    def every(self) -> Iterable[tuple[str, str, BoundProgram]]:
        """What targets start with, file and overrides: of the script and of each module."""
        yield "", self.program.filename, self.given
        for name, (file, given) in self.modules.items():
            yield f"{name}.", file, given

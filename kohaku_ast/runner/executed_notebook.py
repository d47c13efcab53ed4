"""Notebooks that a kernel executes: ``kogine run nb.ipynb lr=0.1 -o out.ipynb``.

Each run gets its values in the text of the cells, as if a person had edited them, so that the
executed notebook shows the code that has run.
"""

from __future__ import annotations

import copy
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING, Any, cast

from kohaku_ast.errors import UsageError, near
from kohaku_ast.frames import hidden
from kohaku_ast.notebook.notebook_text import is_notebook, read_notebook
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared

if TYPE_CHECKING:
    from kohaku_ast.config.config import Config
    from kohaku_ast.transform.program.program import Program

_PLACE = re.compile(r"\{([^{}]+)\}")
_INDEX = "index"
"""The place in the name of the output for the number of the run in its flow."""
_RUN_DIR, _RUN_INDEX = "KOGINE_RUN_DIR", "KOGINE_RUN_INDEX"


class ExecutedNotebook(Launch):
    """A notebook that a kernel executes, and the file for the notebook with outputs."""

    __slots__ = ("edited", "option", "output")
    in_kernel = True
    #: How the user gave the output, before its value: ``-o ``, or ``output=`` in Python.
    option: str
    #: The notebook with the values of a run in its cells, and the file for it with outputs.
    edited: bytes
    output: str

    @classmethod
    def of(cls, launch: Launch, output: str, option: str) -> ExecutedNotebook:
        """As *launch*, for an *output* with places for values: ``out-{lr}.ipynb``. Raises
        UsageError for another script, and BrokenInstallation without nbclient.
        """
        name = option_name(option)
        if not launch.is_notebook:
            raise UsageError(
                f"{name} is for the executed notebook, and {launch.shown!r} is none (.ipynb)"
            )
        if not is_notebook(output):
            raise UsageError(f"{option}{output!r}: an executed notebook is an .ipynb file")
        if os.path.exists(output) and os.path.samefile(output, launch.filename):
            raise UsageError(f"{option}{output!r} is the notebook itself: name another file")
        if launch.argv[1:]:
            raise UsageError(
                f"{name}: a kernel passes no arguments on: leave out '--' and what follows, or set "
                "sys.argv in a cell"
            )
        from kohaku_ast.notebook.kernel import check_installed

        check_installed()
        made = cls(launch.shown)
        made.data, made.edited, made.output, made.option = launch.data, b"", output, option
        return made

    def with_values(self, edited: bytes, output: str) -> ExecutedNotebook:
        """The same for one run: the notebook with its values, and the file to write."""
        made = copy.copy(self)
        made.edited, made.output = edited, output
        return made

    @hidden
    def execute(self, codes: Sequence[CodeType | None], namespace: dict[str, object]) -> None:
        """Execute the cells in a kernel; *codes* is empty."""
        # The modules beside the notebook are the kernel's: one may have the name of a library.
        sys.path = [one for one in sys.path if one != self.path0]
        from kohaku_ast.notebook.kernel import execute
        from kohaku_ast.notebook.notebook_process import show_errors

        show_errors()
        try:
            execute(self.edited, os.path.dirname(self.filename), _final(self.output))
            return
        except KeyboardInterrupt:
            pass
        # Cells run in the kernel: the frames of the first one are of libraries, and as its context
        # they would be printed.
        raise KeyboardInterrupt


def _final(output: str) -> str:
    """*output* of the run in this process: one without a folder or place is for the run's files."""
    output = output.replace(f"{{{_INDEX}}}", os.environ.get(_RUN_INDEX, "0"))
    folder, own = os.path.split(output)
    return os.path.join(os.environ.get(_RUN_DIR, ""), own) if folder == _FILES else output


_FILES = "{files}"
"""In place of the folder of an output that belongs to the files of its run."""


def option_name(option: str) -> str:
    """``-o`` or ``output``, without what stands between it and its value."""
    return option.rstrip(" =")


def executed(launch: Launch, output: str, entrypoint: str, option: str) -> ExecutedNotebook:
    """*launch* as a notebook that a kernel executes; messages name the *output* by its *option*,
    ``-o `` or ``output=``. Raises UsageError and BrokenInstallation.
    """
    if entrypoint:
        raise UsageError(
            f"{option_name(option)} executes all cells: take away the entrypoint {entrypoint!r}"
        )
    return ExecutedNotebook.of(launch, output, option)


class ExecutingBinder(Binder):
    """Binds a notebook to Configs, each time with the values in the text of its cells."""

    #: Whether the output of each run goes to its own files.
    _is_each = False

    def share_output(self, *, has_folders: bool) -> None:
        """There are several runs: an output without a place goes to the files of each run, if they
        have folders. Raises UsageError if they have none.
        """
        launch = cast(ExecutedNotebook, self.launch)
        self._is_each = not _PLACE.search(launch.output)
        if self._is_each and not has_folders:
            unrecorded = "record=False" if launch.option == "output=" else "--no-record"
            raise UsageError(
                f"{launch.option}{launch.output!r}: each run would write it. Name the values that "
                f"differ, as in 'out-{{lr}}.ipynb', or take away {unrecorded}: then each run has "
                "its own folder"
            )

    def bind(self, config: Config | None = None) -> Bound:
        """As any Binder; raises UsageError for an output that another run has, and FreezeError for
        a value without a text.
        """
        bound = super().bind(config)
        _refuse_modules(bound)
        launch = cast(ExecutedNotebook, bound.launch)
        edited = self._edited(bound, config)
        output = self._output(launch, bound, edited)
        bound.launch = launch.with_values(edited, output)
        bound.prepared = _unrun(bound.prepared)
        return bound

    @cached_property
    def _outputs(self) -> dict[str, bytes]:
        """The outputs so far, and the notebook that each has been given for."""
        return {}

    def _edited(self, bound: Bound, config: Config | None) -> bytes:
        """The notebook with the values of *bound* in its cells."""
        from kohaku_ast.transform.edit.freeze import freeze
        from kohaku_ast.transform.find.source import decode

        launch = bound.launch
        source = decode(launch.data, launch.filename, launch.path0)
        text = freeze(source, self.request(config), bound.text_values(), bound.names)
        with open(launch.filename, "rb") as file:
            notebook = read_notebook(file.read(), launch.shown)
        if notebook.text != source.text:
            raise UsageError(f"{launch.shown} has changed since kogine read it: start again")
        return json.dumps(notebook.with_text(text)).encode()

    def _output(self, launch: ExecutedNotebook, bound: Bound, edited: bytes) -> str:
        """The file for the run of *bound*."""
        template, option = launch.output, launch.option
        values = self._places(bound)
        if self._is_each:
            return os.path.join(_FILES, os.path.basename(template))
        output = _PLACE.sub(lambda found: _filled(found[1], values, option), template)
        if self._outputs.setdefault(output, edited) != edited and f"{{{_INDEX}}}" not in output:
            raise UsageError(
                f"{option}{template!r}: two runs with different values would write {output!r}. "
                f"Name all that differ, as in {_example(template, values)!r}, or add {{{_INDEX}}}"
            )
        return output

    def _places(self, bound: Bound) -> dict[str, object]:
        """The name of each value, as the user wrote it and in full -> the value."""
        written = {one.target: one.value for one in self.all_overrides(bound.config)}
        full = bound.text_values()
        short = {name.split(".")[-1]: value for name, value in full.items()}
        return {**bound.names, **short, **full, **written}


def _filled(name: str, values: Mapping[str, object], option: str) -> str:
    if name == _INDEX:
        return f"{{{_INDEX}}}"
    if name not in values:
        found = near(name, [*values, _INDEX], 1)
        hint = f". Did you mean {{{found[0]}}}?" if found else ""
        raise UsageError(
            f"{option_name(option)}: {{{name}}} is no value that these runs get (they get: "
            f"{', '.join(values) or 'none'}){hint}"
        )
    return re.sub(r"[/\\\x00-\x1f]", "_", str(values[name]))


def _example(template: str, values: Mapping[str, object]) -> str:
    base = template[: -len(".ipynb")]
    lacking = [name for name in values if f"{{{name}}}" not in template]
    return f"{base}-{{{lacking[0]}}}.ipynb" if lacking else template


def _refuse_modules(bound: Bound) -> None:
    """Raise UsageError for a value of a module: it is not in the text of a cell."""
    later = bound.prepared.later
    option = option_name(cast(ExecutedNotebook, bound.launch).option)
    names = [
        f"{place}.{target}"
        for place, (_, given) in bound.prepared.modules.items()
        for target in given.values
    ]
    for name in [*names, *(later.targets() if later else ())]:
        raise UsageError(
            f"{option} writes values into the cells of {bound.launch.shown}, and {name!r} belongs "
            f"to a module: run it without {option}, or edit the module"
        )


def _unrun(prepared: Prepared) -> Prepared:
    """*prepared* with its values and no code: the cells run elsewhere, so that here nothing can say
    which of its lines have run.
    """
    program: Program | Any = copy.copy(prepared.program)
    program.segments = [("module", compile("", program.filename, "exec", dont_inherit=True))]
    program.sites, program.entry_name = [], ""
    given = prepared.given
    return Prepared(BoundProgram(program, given.sent, given.is_pure), {}, None)

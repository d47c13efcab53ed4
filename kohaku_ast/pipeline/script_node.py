"""``script("train.py", outputs="model")``: a script as a node of a pipeline.

Its runs are in this process, one at a time, or each in a process of its own.

State of this process: the lock of the runs in it.
"""

from __future__ import annotations

import copy
import functools
import threading
import warnings
from os.path import basename, splitext
from types import MappingProxyType
from typing import Any

from kohaku_ast.errors import (
    PATHS,
    PipelineError,
    UnusedOverride,
    check_named,
    check_type,
    near,
)
from kohaku_ast.frames import trimmed
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.condition import read_condition
from kohaku_ast.pipeline.failure import IN_WORKER
from kohaku_ast.pipeline.node_like import place
from kohaku_ast.pipeline.script_file import (
    RETURN,
    ScriptFile,
    check_outputs,
    name_outputs,
)
from kohaku_ast.pipeline.script_process import (
    exit_error,
    read_process,
    result_of,
    start,
    wait,
)
from kohaku_ast.runner.inline import InlineRun
from kohaku_ast.runner.main_module import unused_messages
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kohaku_ast.pipeline.condition import When
    from kohaku_ast.pipeline.script_process import Result
    from kohaku_ast.pipeline.script_record import ScriptRecord
    from kohaku_ast.runner.bind import Binder, Bound
    from kohaku_ast.store.pipeline_record import RecordPlace


@public
def script(
    path: str,
    outputs: str | Iterable[str] | Mapping[str, str] | None = None,
    inputs: Mapping[str, str | None] | None = None,
    name: str | None = None,
    cache: bool = True,
    entrypoint: str = "",
    when: str | None = None,
    mode: str = "inline",
    env: Mapping[str, Any] | None = None,
) -> ScriptNode:
    """A node that runs the file *path* as ``__main__``, unchanged.

    *outputs* are globals of the script, with their values at its end: ``"model val_loss"``, or
    ``{"model": "net"}`` (global: name in the graph). The key "return" is the return value of the
    function that the guard calls (or of *entrypoint*, called in its place). Without *outputs* this
    is the only output, named after the file.

    Everything that can be overridden in the script is an optional input, by its targets (``lr``,
    ``Args.lr``, ``main(epochs)``); without a value it stays as written. *inputs* renames targets
    (``{"DATA": "train_set"}``): a node or the caller then has to give them; None in place of the
    name leaves the target to the script.

    *when* names what decides whether it runs ("flag", "not flag"). *mode* "spawn" gives each run a
    fresh Python process; *env* its variables, as ``{"pass": ["AWS_*"], "set": {"THREADS": "1"}}``:
    those of this process that ``pass`` names (all, if there is no ``pass``), and ``set``.

    Raises SourceError, SyntaxError, UnknownTarget and the like, and PipelineError for an output
    that the script does not have.
    """
    check_type(path, PATHS, "path is a file's name", PipelineError)
    check_type(name, (str, type(None)), "the name of a node is a text", PipelineError)
    check_type(entrypoint, str, "entrypoint is the name of a function", PipelineError)
    check_named(
        inputs or {}, (str, type(None)), "inputs is a dict of targets to names", PipelineError
    )
    process = read_process(mode, env, f"script {basename(str(path))!r}")
    return ScriptNode(
        ScriptFile(str(path), entrypoint, process), outputs, inputs, name, cache, when
    )


class ScriptNode:
    """A node that runs a script, made by ``script``. A call runs the script: ``train(lr=0.1)``."""

    #: If the guard starts a coroutine, the script runs it to its end.
    is_async = False
    #: Pipelines with such a node are recorded.
    has_scripts = True
    #: What errors, callbacks and drawings call it.
    name: str
    #: The names that it gives to the graph.
    outputs: tuple[str, ...]
    #: The names that it takes: required ones, then those that a person would tune, then the rest.
    inputs: tuple[str, ...]
    #: Name of an optional input -> ``...``: the value as written in the script.
    defaults: Mapping[str, Any]
    #: Name of a bound input -> its value.
    bound: Mapping[str, Any]
    #: Name of an input, bound or not -> its target in the script.
    targets: Mapping[str, str]
    #: The optional inputs that a person would tune.
    settings: tuple[str, ...]

    def __init__(
        self,
        file: ScriptFile,
        outputs: str | Iterable[str] | Mapping[str, str] | None = None,
        inputs: Mapping[str, str | None] | None = None,
        name: str | None = None,
        cache: bool = True,
        when: When | None = None,
    ) -> None:
        self.file = file
        self.name = name or splitext(basename(file.launch.shown))[0]
        #: What decides whether it runs; None: it always does.
        self.when = read_condition(when, repr(self.name))
        self.is_quiet = self.when is None
        self.__qualname__ = self.name  # explain_cache shows it
        #: Whether its results may be cached.
        self.cache = cache
        #: Global of the script, or "return" -> name in the graph.
        self.globals = name_outputs(outputs, self.name)
        if not file.is_sent:
            check_outputs(self.globals, file)
        self.outputs = tuple(self.globals.values())
        #: Target -> name in the graph, or None where the script decides alone.
        self.renamed = dict(inputs or {})
        if not file.is_sent:
            file.check([one for one in self.renamed if one not in file.names.targets])
        self._without: frozenset[str] = frozenset()
        self._take({})

    def _take(self, bound: Mapping[str, Any]) -> None:
        """Find the inputs; those in *bound* get these values and are no longer inputs."""
        known = self._targets_by_name()
        only_read = [name for name in self.when.reads if name not in known] if self.when else []
        for name in bound:
            if name not in known and name not in only_read:
                raise PipelineError(self._unknown(name, [*known, *only_read]))
        bound_targets = {self.full(known[name]) for name in bound if name in known}
        free = {name: one for name, one in known.items() if self.full(one) not in bound_targets}
        required = [name for name in self.renamed.values() if name in free]
        required += [name for name in only_read if name not in bound]
        settings = [name for name in self.file.names.settings if name in free]
        own = {name: known[name] for name in bound if name in known}
        self.targets = MappingProxyType({**free, **own})
        self._full = {one: self.full(target) for one, target in self.targets.items()}
        kept = [pair for pair in self._full.items() if not self._is_unkeyed(pair[1])]
        self._means = tuple(sorted(kept))
        self._gives = tuple(self.globals)
        self.bound = MappingProxyType(dict(bound))
        self.settings = tuple([name for name in settings if name not in required])
        self.inputs = tuple(dict.fromkeys([*required, *settings, *free]))
        self.defaults = MappingProxyType(dict.fromkeys(self.inputs[len(required) :], ...))

    def _targets_by_name(self) -> dict[str, str]:
        """Name in the graph -> target. An output is never an input of the same script."""
        renamed = {self.full(target) for target in self.renamed}
        known = {
            name: target
            for name, target in self.file.names.targets.items()
            if target not in renamed and name not in self.outputs and name not in self._without
        }
        known.update({name: target for target, name in self.renamed.items() if name is not None})
        return known

    def full(self, target: str) -> str:
        """The full target of a short one."""
        return self.file.names.targets.get(target, target)

    def _unknown(self, name: str, names: list[str]) -> str:
        found = near(name, names)
        hint = f" Did you mean {found[0]!r}?" if found else ""
        return f"node {self.name!r} ({self.where}) has no input {name!r}.{hint}"

    @property
    def where(self) -> str:
        """``train.py:1``."""
        return place(self.file.launch.filename, 1)

    @property
    def unlinked(self) -> frozenset[str]:
        """The inputs that only the caller fills: the name of a function or of a local deep inside
        may be that of somebody's output by chance.
        """
        names = self.file.names
        return frozenset(names.targets) - names.linked - {*self.renamed.values()}

    def without(self, names: frozenset[str]) -> ScriptNode:
        """A copy without the inputs *names*."""
        return self._copy(_without=self._without | names)

    def doubled(self, given: Iterable[str]) -> tuple[str, str] | None:
        """Two of the names *given* that mean the same target; None if there are none."""
        seen: dict[str, str] = {}
        for name in given:
            target = self.full(self.targets[name]) if name in self.targets else None
            if target is not None and seen.setdefault(target, name) != name:
                return seen[target], name
        return None

    def __call__(self, **values: Any) -> Any:
        """Run the script. Returns its output, or a tuple of several. Write targets that are no
        Python names as ``**{"main(epochs)": 3}``.
        """
        for name in values:
            if name not in self.inputs:
                raise PipelineError(self._unknown(name, list(self.inputs)))
        result = self.run(values)
        return result[0] if len(result) == 1 else result

    def bind(self, **values: Any) -> ScriptNode:
        """A copy that has *values* for these inputs, which it no longer takes."""
        made = self._copy()
        made._take({**self.bound, **values})
        return made

    def with_names(self, name: str | None = None, /, **names: str) -> ScriptNode:
        """A renamed copy: *name* for the node, ``old="new"`` for inputs and outputs. A renamed
        input is required.
        """
        for old in names:
            if old not in self.targets and old not in self.outputs and old not in self.inputs:
                raise PipelineError(self._unknown(old, [*self.targets, *self.outputs]))
        outputs = {one: names.get(old, old) for one, old in self.globals.items()}
        renamed = {self.targets[old]: new for old, new in names.items() if old in self.targets}
        when = None if self.when is None else self.when.renamed(names)
        inputs = {**self.renamed, **renamed}
        made = ScriptNode(self.file, outputs, inputs, name or self.name, self.cache, when)
        made._take({names.get(old, old): value for old, value in self.bound.items()})
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        when = None if self.when is None else self.when.given
        given = (self.file, self.globals, self.renamed, self.name, self.cache, when)
        return _node_from, (given, self._without, dict(self.bound))

    def _copy(self, **changes: Any) -> ScriptNode:
        made = copy.copy(self)
        made.__dict__.update(changes)
        made._take(self.bound)
        return made

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Run the script and return the values of the outputs. In a worker process the script gets
        a process of its own, else it runs in this one, one script at a time. Raises what the
        script raises; PipelineError if it ends without setting an output.
        """
        return self.run_recorded(values, None)

    def run_recorded(self, values: Mapping[str, Any], place: RecordPlace | None) -> tuple[Any, ...]:
        """The same; with a record at *place*, if there is one."""
        given = {**self.bound, **values} if self.bound else values
        targets = self.targets
        overrides = {targets[name]: value for name, value in given.items() if name in targets}
        names = tuple([one for one in self.globals if one != RETURN])
        returned, found = run_script(self.file, overrides, names, RETURN in self.globals, place)
        try:
            return tuple([returned if one == RETURN else found[one] for one in self.globals])
        except KeyError as error:
            raise PipelineError(self._unset(error.args[0])) from None

    def _unset(self, name: str) -> str:
        line = self.file.names.globals.get(name)
        where = f": {place(self.file.launch.filename, line)} did not run" if line else ""
        return f"node {self.name!r}: the script has ended without a global {name!r}{where}."

    def cache_identity(self) -> tuple[Any, ...]:
        """What the results depend on besides the inputs, for their keys in a cache."""
        when = () if self.when is None else (self.when.text,)
        process = self.file.process
        env = () if process is None else tuple(process.identity())
        return (self.file.digests(), self._means, self._gives, self.file.entrypoint, *when, *env)

    def key_parameters(self, has_value: Callable[[str], bool]) -> list[tuple[str, str]]:
        """The inputs that a key is made of, each with its name in the key. They stand in the same
        order as in keys that are on disk, whatever is listed as a setting today.
        """
        required = self.inputs[: len(self.inputs) - len(self.defaults)]
        first = [one for one in self.file.names.literals if one in self.defaults]
        names = dict.fromkeys([*required, *first, *self.targets])
        unkeyed = {one: target for one, target in self._full.items() if self._is_unkeyed(target)}
        return [
            (one, unkeyed.get(one, one))
            for one in names
            if one not in unkeyed or one in self.bound or has_value(one)
        ]

    def _is_unkeyed(self, target: str) -> bool:
        return target in self.file.names.unkeyed

    def input_hint(self, name: str) -> Any:
        """The annotated type of the input's global, or UNKNOWN."""
        return self.file.names.hints.get(self.targets.get(name, ""), edge_types.UNKNOWN)

    def output_hint(self, name: str) -> Any:
        """The same for an output."""
        inside = next(one for one, outside in self.globals.items() if outside == name)
        return self.file.names.hints.get(inside, edge_types.UNKNOWN)

    def __repr__(self) -> str:
        shown = [*self.inputs[: len(self.inputs) - len(self.defaults)], *self.settings]
        return f"<script {self.name}({', '.join(shown)}) -> {', '.join(self.outputs)}>"


def _node_from(given: Any, without: frozenset[str], bound: dict[str, Any]) -> ScriptNode:
    made = ScriptNode(*given)
    made._without = without
    made._take(bound)
    return made


#: ``__main__``, ``sys.argv`` and the like belong to one script. It may run a pipeline itself.
_HERE = threading.RLock()


def run_script(
    file: ScriptFile,
    values: Mapping[str, Any],
    outputs: tuple[str, ...],
    wants_value: bool,
    place: RecordPlace | None = None,
) -> Result:
    """Run the script with *values* by target, with a record at *place*. Raises what the script
    raises; PipelineError if it calls ``sys.exit`` with a status other than 0.
    """
    from kohaku_ast.config.config import Config

    config = Config(globals_dict=values, outputs=outputs)
    with _HERE:  # binding reads sys.modules, which may be those of another script until then
        binder = file.binder()
        bound = binder.bind(config)
        if not (IN_WORKER.get() or file.process):
            if place is None:
                return call(InlineRun(bound, file.local))
            record = _record(file, binder, bound, place)
            return record.here(lambda: call(InlineRun(bound, file.local)))
    begin = functools.partial(start, bound, wants_value, file.process is not None)
    if place is None:
        env = None if file.process is None else file.process.variables()
        return result_of(bound, wait(begin(env=env)))
    return result_of(bound, _record(file, binder, bound, place).elsewhere(begin, wait))


def _record(file: ScriptFile, binder: Binder, bound: Bound, place: RecordPlace) -> ScriptRecord:
    from kohaku_ast.pipeline.script_record import ScriptRecord

    return ScriptRecord(binder, bound, place, file.process)


def call(run: InlineRun) -> Result:
    """Run it in this process. ``trim_traceback`` knows this function by its name: the frames below
    it are the user's.
    """
    try:
        value = run.whole()
    except SystemExit as exit_:
        if exit_.code not in (None, 0):
            raise exit_error(run.bound.launch, exit_.code) from exit_
        value = run.given.capture.value
    except BaseException as error:
        raise error.with_traceback(trimmed(error.__traceback__))  # noqa: B904  # it is the same
    finally:
        for message in unused_messages(run.bound.prepared):
            warnings.warn(message, UnusedOverride, stacklevel=3)
    outputs = run.outputs()
    run.release(value, outputs)
    return value, outputs

"""``script("train.py", outputs="model")``: a script as a node of a pipeline."""

from __future__ import annotations

import copy
from os.path import basename, splitext
from types import MappingProxyType

from kohaku_ast.errors import PipelineError, near
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.node_like import place
from kohaku_ast.pipeline.script_file import RETURN, ScriptFile, check_outputs, name_outputs
from kohaku_ast.pipeline.script_runs import run_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def script(
    path: str,
    outputs: str | Iterable[str] | Mapping[str, str] | None = None,
    inputs: Mapping[str, str | None] | None = None,
    name: str | None = None,
    cache: bool = True,
    entrypoint: str = "",
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

    Raises SourceError, SyntaxError, UnknownTarget and the like, and PipelineError for an output
    that the script does not have.
    """
    return ScriptNode(ScriptFile(str(path), entrypoint), outputs, inputs, name, cache)


class ScriptNode:
    """A node that runs a script, made by ``script``. A call runs the script: ``train(lr=0.1)``."""

    #: If the guard starts a coroutine, the script runs it to its end.
    is_async = False
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
    ) -> None:
        self.file = file
        self.name = name or splitext(basename(file.launch.shown))[0]
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
        for name in bound:
            if name not in known:
                raise PipelineError(self._unknown(name, list(known)))
        bound_targets = {self.full(known[name]) for name in bound}
        free = {name: one for name, one in known.items() if self.full(one) not in bound_targets}
        required = [name for name in self.renamed.values() if name in free]
        settings = [name for name in self.file.names.settings if name in free]
        self.targets = MappingProxyType({**free, **{name: known[name] for name in bound}})
        self._means = tuple(sorted(zip(self.targets, map(self.full, self.targets.values()))))
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
            if old not in self.targets and old not in self.outputs:
                raise PipelineError(self._unknown(old, [*self.targets, *self.outputs]))
        outputs = {one: names.get(old, old) for one, old in self.globals.items()}
        renamed = {self.targets[old]: new for old, new in names.items() if old in self.targets}
        made = ScriptNode(
            self.file, outputs, {**self.renamed, **renamed}, name or self.name, self.cache
        )
        made._take({names.get(old, old): value for old, value in self.bound.items()})
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.file, self.globals, self.renamed, self.name, self.cache)
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
        given = {**self.bound, **values} if self.bound else values
        overrides = {self.targets[name]: value for name, value in given.items()}
        names = tuple([one for one in self.globals if one != RETURN])
        returned, found = run_script(self.file, overrides, names, RETURN in self.globals)
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
        return (self.file.digests(), self._means, self._gives, self.file.entrypoint)

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

"""Pipelines in TOML: a table for each node, which names a marked function, a script or further
tables. ``docs/reference/pipeline-toml.md`` has the keys.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from kohaku_ast.config.data_file import toml_parser
from kohaku_ast.errors import PipelineError, did_you_mean
from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.processes import PROCESSES, Process
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.condition import read_condition
from kohaku_ast.pipeline.hooks import HOOKS, Hooks
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.script_node import script

_TOP = ("pipeline", "processes", "permanences")
_PIPELINE = ("name", "modules", "engine", "cache", *HOOKS)
_ANY = ("params", "inputs", "outputs", "cache", "when", *HOOKS)
_FUNCTION = ("type", *_ANY)
_PROCESS = ("mode", "env")
_SCRIPT = ("script", *_ANY, "entrypoint", *_PROCESS)
_NESTED = ("processes", "permanences", *_ANY)
_PERMANENCE = ("type", "params")


Made = TypeVar("Made")


def read_pipeline(path: str, make: Callable[..., Made]) -> Made:
    """The pipeline in the TOML file *path*, by the class *make*; its modules are imported, from its
    folder first.

    Raises PipelineError, which names the place in the file (``processes.train.params.lr``), and
    ConfigError where TOML cannot be read; errors of the modules come through.
    """
    made: Made = _Reader(path, make).pipeline()
    return made


class _Reader:
    """Reads one file."""

    def __init__(self, path: str, make: Callable[..., Any]) -> None:
        self.make, self.path, self.folder = make, path, os.path.dirname(os.path.abspath(path))
        parser = toml_parser(path)
        try:
            with open(path, "rb") as file:
                self.table: dict[str, Any] = parser.load(file)
        except OSError as error:
            raise PipelineError(f"cannot read {path!r}: {error.strerror}") from error
        except (parser.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PipelineError(f"{path}: {error}") from error

    def pipeline(self) -> Any:
        """All of it."""
        self._check_keys(self.table, _TOP, "")
        head = self._table_at(self.table, "pipeline", "")
        self._check_keys(head, _PIPELINE, "pipeline")
        modules = self._texts(head.get("modules", []), "pipeline.modules")
        self.known = self._import(modules)
        nodes = self._nodes(self.table, "processes")
        if not nodes:
            raise self._error("processes", "there are none: write [processes.NAME]")
        stem = os.path.splitext(os.path.basename(self.path))[0]
        made = self.make(
            nodes,
            engine=self._text(head, "engine", "pipeline") or None,
            cache=self._cache(self._text(head, "cache", "pipeline")),
            name=self._text(head, "name", "pipeline") or stem,
            callbacks=[*self._hooks(head, "pipeline"), *self._hooks_of(self.table, "processes")],
        )
        return self._with_permanences(made, self.table, "")

    def _cache(self, folder: str) -> Any:
        if not folder:
            return None
        from kohaku_ast.cache.disk import DiskCache

        return DiskCache(os.path.join(self.folder, folder))

    # --- modules ---------------------------------------------------------------------------------

    def _import(self, modules: Sequence[str]) -> dict[str, Process]:
        """Import *modules*; the processes that they have, by ``module:qualname``."""
        if modules and self.folder not in sys.path:
            # First, as for a script; it stays: workers import the modules again.
            sys.path.insert(0, self.folder)
        self.modules = names = [self._module_name(one) for one in modules]
        for name, given in zip(names, modules):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name.partition(".")[0] and error.name != name:
                    raise
                raise self._error("pipeline.modules", f"there is no module {given!r}") from error
            self._check_file(name)
        return {key: one for key, one in PROCESSES.items() if one.function.__module__ in {*names}}

    def _check_file(self, name: str) -> None:
        """Raise PipelineError if the module *name* of the file's folder is not the one of that name
        that this process has: another pipeline may have imported that.
        """
        base = os.path.join(self.folder, *name.split("."))
        own = [one for one in (f"{base}.py", f"{base}/__init__.py") if os.path.isfile(one)]
        found = getattr(sys.modules[name], "__file__", None)
        if own and found and not any(os.path.samefile(one, found) for one in own):
            raise self._error(
                "pipeline.modules",
                f"this process has another module {name!r}, {found}: rename one of them, or run "
                "the pipelines in processes of their own",
            )

    def _module_name(self, given: str) -> str:
        if not given.endswith(".py"):
            return given
        if os.path.dirname(given):
            raise self._error(
                "pipeline.modules", f"{given!r}: name a file beside the TOML file, or a module"
            )
        return given.removesuffix(".py")

    # --- hooks -----------------------------------------------------------------------------------

    def _hooks_of(self, table: Mapping[str, Any], place: str) -> list[Hooks]:
        """Those of the nodes in the tables below *place*."""
        tables = table["processes"].items()
        return [hook for name, one in tables for hook in self._hooks(one, f"{place}.{name}", name)]

    def _hooks(self, table: Mapping[str, Any], place: str, node: str = "") -> list[Hooks]:
        found = {
            name: self._callable(self._text(table, name, place), f"{place}.{name}")
            for name in HOOKS
            if name in table
        }
        return [Hooks(node, **found)] if found else []

    # --- nodes -----------------------------------------------------------------------------------

    def _nodes(self, table: Mapping[str, Any], place: str) -> list[NodeLike]:
        found = self._table_at(table, "processes", place.rpartition(".")[0])
        return [self._node(name, one, f"{place}.{name}") for name, one in found.items()]

    def _node(self, name: str, table: Any, place: str) -> NodeLike:
        if not isinstance(table, dict):
            raise self._error(place, f"it is a table, got {table!r}")
        kinds = [one for one in ("type", "script", "processes") if one in table]
        if len(kinds) != 1:
            keys = "" if kinds else did_you_mean(next(iter(table), ""), ("type", "script"))
            raise self._error(
                place,
                f"it has one of type (a function), script (a file), processes (tables).{keys}",
            )
        for one in () if "script" in table else _PROCESS:
            if one in table:
                raise self._error(
                    f"{place}.{one}",
                    "it is for a process of its own, and functions run in that of the pipeline: "
                    'make it a script with mode = "spawn"',
                )
        make = {"type": self._function, "script": self._script, "processes": self._nested}
        return make[kinds[0]](name, table, place)

    def _function(self, name: str, table: Mapping[str, Any], place: str) -> NodeLike:
        self._check_keys(table, _FUNCTION, place)
        marked = self._process(self._text(table, "type", place), place)
        options = {**marked.options, "name": name, **self._options(table, place)}
        if "outputs" in table:
            options["output_name"] = self._texts(table["outputs"], f"{place}.outputs")
        node = Node(marked.function, **{**options, "rename": None, "when": None})
        parameters = [one.parameter for one in node.parameters]
        inputs = self._names(table, "inputs", parameters, place)
        params = self._params(table, node, parameters, place)
        self._check_twice(inputs, params, place)
        rename = {**(marked.options.get("rename") or {}), **inputs}
        bound = {rename.get(one, one): value for one, value in params.items()}
        return Node(marked.function, **{**options, "rename": rename}, bound=bound)

    def _process(self, type_name: str, place: str) -> Process:
        """The marked function called *type_name*: by its name, or ``module:qualname``."""
        fitting = [
            one
            for key, one in self.known.items()
            if type_name in (key, key.partition(":")[2], one.options.get("name"))
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            keys = ", ".join(sorted(one.key for one in fitting))
            raise self._error(f"{place}.type", f"{type_name!r} is several: write one of {keys}")
        names = [key.partition(":")[2] for key in self.known]
        have = (
            f" The modules have: {', '.join(names)}."
            if names
            else (" pipeline.modules has no function with @process.")
        )
        hint = did_you_mean(type_name, names) or have
        raise self._error(f"{place}.type", f"there is no process {type_name!r}.{hint}")

    def _params(
        self, table: Mapping[str, Any], node: Node, parameters: Sequence[str], place: str
    ) -> dict[str, Any]:
        params = self._table_at(table, "params", place)
        for name, value in params.items():
            here = f"{place}.params.{name}"
            self._check_name(name, parameters, here)
            self._check_type(node.function, name, value, here)
        return params

    def _check_type(self, function: Any, name: str, value: Any, place: str) -> None:
        wanted = edge_types.of_parameter(function, name)
        if not edge_types.fits(type(value), wanted):
            shown = getattr(wanted, "__name__", None) or str(wanted)
            raise self._error(place, f"it is {shown}, got {value!r}")

    def _script(self, name: str, table: Mapping[str, Any], place: str) -> NodeLike:
        self._check_keys(table, _SCRIPT, place)
        outputs = table.get("outputs")
        if outputs is not None and not isinstance(outputs, dict):
            outputs = self._texts(outputs, f"{place}.outputs")
        inputs = self._names(table, "inputs", None, place)
        params = self._table_at(table, "params", place)
        self._check_twice(inputs, params, place)
        with self._naming(place):
            node = script(
                os.path.join(self.folder, self._text(table, "script", place)),
                outputs,
                inputs,
                name,
                entrypoint=self._text(table, "entrypoint", place),
                mode=self._text(table, "mode", place) or "inline",
                env=self._table_at(table, "env", place) if "env" in table else None,
                **self._options(table, place),
            )
            return node.bind(**params) if params else node

    def _nested(self, name: str, table: Mapping[str, Any], place: str) -> NodeLike:
        self._check_keys(table, _NESTED, place)
        with self._naming(place):
            inside = f"{place}.processes"
            hooks = self._hooks_of(table, inside)
            inner = self.make(self._nodes(table, inside), name=name, callbacks=hooks or None)
            inner = self._with_permanences(inner, table, f"{place}.")
            params = self._table_at(table, "params", place)
            inner = inner.bind(**params) if params else inner
            inputs = self._names(table, "inputs", list(inner.inputs), place)
            outputs = self._outputs_of(table, inner, place)
            outside = {given: own for own, given in inputs.items()}
            options = self._options(table, place)
            node: NodeLike = inner.as_node(outside or None, outputs, name=name, **options)
            return node

    def _outputs_of(
        self, table: Mapping[str, Any], inner: Any, place: str
    ) -> dict[str, str] | None:
        outputs = table.get("outputs")
        if outputs is None:
            return None
        if not isinstance(outputs, dict):
            outputs = {one: one for one in self._texts(outputs, f"{place}.outputs")}
        for one in outputs:
            self._check_name(one, inner.outputs, f"{place}.outputs.{one}")
        return outputs

    # --- permanences -----------------------------------------------------------------------------

    def _with_permanences(self, made: Any, table: Mapping[str, Any], before: str) -> Any:
        """The pipeline *made* with the permanences of *table*."""
        found = self._table_at(table, "permanences", before[:-1])
        if not found:
            return made
        from kohaku_ast.pipeline.permanence_nodes import checked_permanences

        place = f"{before}permanences"
        known = {name: self._permanence(one, f"{place}.{name}") for name, one in found.items()}
        with self._naming(place):
            return made.bind(**checked_permanences(known, made.graph))

    def _permanence(self, table: Any, place: str) -> Any:
        from kohaku_ast.pipeline.permanence import permanence

        if not isinstance(table, dict):
            raise self._error(place, f"it is a table, got {table!r}")
        self._check_keys(table, _PERMANENCE, place)
        factory = self._callable(self._text(table, "type", place), f"{place}.type")
        params = self._table_at(table, "params", place)
        with self._naming(f"{place}.params"):
            made = permanence(factory, **params)
        for name, value in params.items():
            self._check_type(factory, name, value, f"{place}.params.{name}")
        return made

    def _callable(self, type_name: str, place: str) -> Any:
        """The function or class called *type_name*: its name in a module, or ``module:name``."""
        module, _, name = type_name.rpartition(":")
        if module and module not in self.modules:
            hint = did_you_mean(module, self.modules) or " Name it in pipeline.modules."
            raise self._error(place, f"there is no module {module!r}.{hint}")
        found = {
            f"{one}:{name}": factory
            for one in ([module] if module else self.modules)
            if callable(factory := look_up(one, name))
        }
        if len({*map(id, found.values())}) == 1:
            return next(iter(found.values()))
        if found:
            raise self._error(place, f"{name!r} is several: write one of {', '.join(found)}")
        names = [
            own
            for one in self.modules
            for own, value in vars(sys.modules[one]).items()
            if callable(value) and getattr(value, "__module__", "") == one
        ]
        have = f" The modules have: {', '.join(names)}." if names else " Name a module of it."
        hint = did_you_mean(name, names) or have
        raise self._error(place, f"there is no function or class {name!r}.{hint}")

    # --- values ----------------------------------------------------------------------------------

    def _options(self, table: Mapping[str, Any], place: str) -> dict[str, Any]:
        """What all kinds of nodes may have."""
        found = {name: table[name] for name in ("cache", "when") if name in table}
        if not isinstance(found.get("cache", True), bool):
            raise self._error(f"{place}.cache", f"it is true or false, got {table['cache']!r}")
        if "when" in found:
            with self._naming(f"{place}.when"):
                read_condition(self._text(table, "when", place), repr(place.rpartition(".")[2]))
        return found

    def _names(
        self, table: Mapping[str, Any], key: str, known: Iterable[str] | None, place: str
    ) -> dict[str, str]:
        """A table of own names to names in the graph."""
        found = self._table_at(table, key, place)
        for own, given in found.items():
            here = f"{place}.{key}.{own}"
            if known is not None:
                self._check_name(own, known, here)
            if not isinstance(given, str):
                raise self._error(here, f"it is a name in the pipeline, got {given!r}")
        return found

    def _check_twice(
        self, inputs: Mapping[str, Any], params: Mapping[str, Any], place: str
    ) -> None:
        for name in inputs:
            if name in params:
                raise self._error(f"{place}.params.{name}", "it stands among the inputs, too")

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
        for key in table:
            if key not in known:
                at = f"{place}.{key}" if place else key
                hint = did_you_mean(key, known) or f" Keys are: {', '.join(known)}."
                raise self._error(at, f"there is no key {key!r}.{hint}")

    def _check_name(self, name: str, known: Iterable[str], place: str) -> None:
        known = [*known]
        if name not in known:
            hint = did_you_mean(name, known) or f" It has: {', '.join(known) or 'none'}."
            raise self._error(place, f"there is no parameter or output {name!r}.{hint}")

    def _table_at(self, table: Mapping[str, Any], key: str, place: str) -> dict[str, Any]:
        found = table.get(key, {})
        if not isinstance(found, dict):
            at = f"{place}.{key}" if place else key
            raise self._error(at, f"it is a table, got {found!r}")
        return found

    def _text(self, table: Mapping[str, Any], key: str, place: str) -> str:
        found = table.get(key, "")
        if not isinstance(found, str):
            raise self._error(f"{place}.{key}", f"it is a text, got {found!r}")
        return found

    def _texts(self, found: Any, place: str) -> tuple[str, ...]:
        if isinstance(found, str):
            return tuple(found.split())
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._error(place, f"it is a text or a list of texts, got {found!r}")
        return tuple(found)

    @contextmanager
    def _naming(self, place: str) -> Iterator[None]:
        """A PipelineError inside gets the place in the file."""
        try:
            yield
        except PipelineError as error:
            if str(error).startswith(f"{self.path}: "):
                raise
            raise self._error(place, str(error)) from error

    def _error(self, place: str, text: str) -> PipelineError:
        return PipelineError(f"{self.path}: {place}: {text}")


def look_up(module: str, name: str) -> Any:
    """What *module*, which is imported, calls *name*; None if there is nothing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found

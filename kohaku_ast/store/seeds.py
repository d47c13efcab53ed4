"""Seeds: what the script of a run seeds, and with what; the field ``seeds`` of run.json.

``find/seed_calls.py`` finds the calls, in the text alone. Here their values are those of the run,
and each text is looked through once: what it sets stands beside it among the objects.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from kohaku_ast.errors import KogineError
from kohaku_ast.files import short_path
from kohaku_ast.store.values import form_text, written

if TYPE_CHECKING:
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.store.sources import Objects

EXPRESSION = "expression"
"""The key, in place of a value, of the text of a seed that only the run knows."""
SEED = "seed"
"""The name, in queries and tables, of the one value that all seeds of a run have."""
IMPORTED = "import "
"""As in ``seed_calls``, which most flows need not import."""
_VERSION = 2
"""Grows when the same text gets other seeds."""
_MENTIONS = (b"seed", b"random", b"Random", b"PRNGKey", b"PCG64")
"""A text with none of these sets no seed: nobody parses it."""

_DEEPEST = 5
"""Modules that a name is imported through."""

_Seed: TypeAlias = "tuple[str, int, str, str, Sequence[str]]"
_Found = Sequence[_Seed]
"""Seeds of ``find_seeds``, as JSON has them."""
_Params = Mapping[str, Mapping[str, object]]
_Modules = Mapping[str, Mapping[str, str]]


class Seeds:
    """The seeds of the runs of a store; the texts are among its *objects*."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._found: dict[tuple[str, bool], _Found] = {}
        #: SHA-256 of a module and a name in it -> what its text gives that.
        self._values: dict[tuple[str, str], tuple[str, Sequence[str]]] = {}

    def fields(self, sources: Any, launch: Launch | None, params: Any) -> list[dict[str, object]]:
        """The field ``seeds`` of a run with the fields *sources* and *params*: those that the
        script and its modules set. *launch* is the script, None for none.
        """
        if sources is None or launch is None:
            return []
        modules = sources["modules"]
        found = [
            self._field(one, short_path(launch.filename), "", params, modules)
            for one in self._of(sources["script"], launch)
        ]
        for name, module in modules.items():
            of_module = self._of(module["sha256"], None, module["file"])
            place = module["file"], f"{name}.", params, modules
            found += [self._field(one, *place) for one in of_module]
        return found

    def _field(
        self, seed: _Seed, file: str, prefix: str, params: _Params, modules: _Modules
    ) -> dict[str, object]:
        call, line, text, default, targets = seed
        place = {"call": call, "file": file, "line": line}
        return {
            **place,
            **self._value(default, targets, prefix, params, modules, {EXPRESSION: text}),
        }

    def _value(
        self,
        default: str,
        targets: Sequence[str],
        prefix: str,
        params: _Params,
        modules: _Modules,
        otherwise: dict[str, object],
        depth: int = 0,
    ) -> dict[str, object]:
        """The value that one of *targets* has in *params*, or in the text of its module; else that
        of *default*.
        """
        for one in targets:
            is_imported = one.startswith(IMPORTED)
            target = one.removeprefix(IMPORTED) if is_imported else f"{prefix}{one}"
            if target in params:
                return {"target": target, **params[target]}
            if is_imported and depth < _DEEPEST:
                for name in (one for one in modules if target.startswith(f"{one}.")):
                    inner = self._in_module(name, modules[name], target[len(name) + 1 :])
                    found = self._value(*inner, f"{name}.", params, modules, {}, depth + 1)
                    if found:
                        return found
        return written(ast.literal_eval(default)) if default else otherwise

    def _in_module(
        self, module: str, field: Mapping[str, str], name: str
    ) -> tuple[str, Sequence[str]]:
        """What the text of *module*, with this *field*, gives *name*: the literal, and targets."""
        key = field["sha256"], name
        if key not in self._values:
            is_package = os.path.basename(field["file"]).startswith("__init__.")
            package = module if is_package else module.rpartition(".")[0]
            data = self._objects.get(key[0]) or b""
            self._values[key] = _read_value(data, field["file"], package, name)
        return self._values[key]

    def _of(self, digest: str, script: Launch | None, file: str = "") -> _Found:
        key = digest, script is not None
        if key not in self._found:
            data = script.data if script else self._objects.get(digest) or b""
            self._found[key] = ()
            if any(one in data for one in _MENTIONS):
                end = f".{_VERSION}.{'script' if script else 'module'}-seeds.json"
                self._found[key] = self._objects.found_in(
                    digest, end, list, lambda: _read(data, script, file)
                )
        return self._found[key]


def _read(data: bytes, script: Launch | None, file: str) -> _Found:
    from kohaku_ast.transform.find.seed_calls import find_seeds  # here: most texts were read before
    from kohaku_ast.transform.find.source import decode

    place = (script.filename, script.path0, script.package) if script else (file,)
    try:
        return find_seeds(decode(data, *place), script is not None)
    except (KogineError, SyntaxError, RecursionError):
        return ()  # what cannot be read sets none


def _read_value(data: bytes, file: str, package: str, name: str) -> tuple[str, Sequence[str]]:
    from kohaku_ast.transform.find.seed_calls import find_value  # as above
    from kohaku_ast.transform.find.source import decode

    try:
        return find_value(decode(data, file, "", package), name)
    except (KogineError, SyntaxError, RecursionError):
        return "", ()


# --- readers ------------------------------------------------------------------------------------


def seeds_in(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The field ``seeds`` of *facts*; none in a record of an earlier version."""
    return list(facts.get("seeds") or ())


def seed_text(seed: Mapping[str, Any]) -> str:
    """What *seed*, one of the field, was set to: a value as Python writes it, or the text of the
    call's argument.
    """
    return str(seed[EXPRESSION]) if EXPRESSION in seed else form_text(seed)


def known_seeds(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Call -> one of the field ``seeds``, for those whose value is known; and ``seed``, if it is
    one value in all of them.
    """
    valued = (one for one in seeds_in(facts) if EXPRESSION not in one)
    known = [one for one in valued if one.get("json", 0) is not None]
    found = {str(one["call"]): one for one in known}
    is_one = len({form_text(one) for one in known}) == 1
    return {SEED: known[0], **found} if is_one else found

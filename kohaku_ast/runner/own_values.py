"""Values of which each of several runs in this process gets its own, as in a process of its own.

Else the second run of a sweep would train on with the model that the first one has left behind.
"""

from __future__ import annotations

import copy
import copyreg
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.prepared import Prepared
from kohaku_ast.transform.program.bound_program import BoundProgram, Pickled, is_plain

_SHARED = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, Pickled)
"""What a script calls, it does not change; a method may be there to tell its object something."""


def with_own_values(bound: Bound, warn: Callable[[str], None]) -> Bound:
    """*bound* with copies of the values; *warn* is told of those that cannot be copied."""
    if not any(map(_is_own, _values(bound))):
        return bound
    copies = _Copies(warn)
    given = BoundProgram(bound.program, copies.of(bound.prepared.given.sent))
    modules = {
        name: (file, BoundProgram(one.program, copies.of(one.sent)))
        for name, (file, one) in bound.prepared.modules.items()
    }
    return Bound(
        bound.launch, bound.config, Prepared(given, modules), bound.names, bound.argv[1:],
        lambda values: copies.of(bound.anew(values)),
    )  # fmt: skip


def _values(bound: Bound) -> Iterator[object]:
    for _, _, given in bound.prepared.every():
        yield from given.sent.values()
    yield from bound.names.values()
    if bound.config is not None:
        yield from bound.config.args
        yield from bound.config.kwargs.values()


def _is_own(value: object) -> bool:
    """Whether a run may change *value*; of displays it gets copies anyway."""
    return not isinstance(value, _SHARED) and not is_plain(value)


class _Copies:
    """For one run: what is one object in two values stays one."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._memo: dict[int, object] = {}

    def of(self, values: Mapping[str, object]) -> dict[str, object]:
        with _modules_shared():
            return {
                name: self._copy(name, value) if _is_own(value) else value
                for name, value in values.items()
            }

    def _copy(self, name: str, value: object) -> object:
        try:
            return copy.deepcopy(value, self._memo)
        except Exception as error:  # whatever its class raises
            self._warn(
                f"the value of {name!r} cannot be copied ({type(error).__name__}: {error}): "
                "all runs in this process share it, with what they do to it"
            )
            return value


@contextmanager
def _modules_shared() -> Iterator[None]:
    """Inside, a module in a value is no reason not to copy it: copies name the same one."""
    before = copyreg.dispatch_table.get(ModuleType)
    copyreg.pickle(ModuleType, lambda module: module.__name__)
    try:
        yield
    finally:
        if before is None:
            del copyreg.dispatch_table[ModuleType]
        else:
            copyreg.dispatch_table[ModuleType] = before

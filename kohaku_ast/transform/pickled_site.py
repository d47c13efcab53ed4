"""Sites of Pickled values: all of it in C, as in ``transform/given.py``.

Nothing is loaded before the script asks: it may have to import the script's own modules.
"""

from __future__ import annotations

from _collections import defaultdict  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _operator import getitem, itemgetter
from _pickle import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.transform.pickled import Pickled


class Loaded:
    """Gives what a pickle describes, made anew each time."""

    __getitem__ = staticmethod(loads)


class _Call:
    """Pickled, it is what the call returns."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def once_site(
    value: Pickled, groups: dict[bytes, defaultdict[int, object]]
) -> defaultdict[int, object]:
    """A site that gives *value*; *groups* are the values that were pickled together, by bytes."""
    group = groups.setdefault(value.data, defaultdict(partial(loads, value.data)))
    # `group[0][name]`: an iterator that asks the group when it is asked itself.
    found = map(itemgetter(value.name), iter(partial(getitem, group, 0), ()))
    return defaultdict(partial(next, found))


def again_site(value: Pickled) -> defaultdict[int, object]:
    """A site that gives what Loaded makes *value* from."""
    data = dumps(_Call(getitem, _Call(loads, value.data), value.name))
    return defaultdict(partial(itemgetter(0), (data,)))

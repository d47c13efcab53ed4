"""Sites of Pickled values: all of it in C, as in ``bound_program.py``.

Nothing is loaded before the script asks: it may have to import the script's own modules.
"""

from __future__ import annotations

from _collections import defaultdict  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _operator import getitem, itemgetter
from _pickle import dumps, loads

from kohaku_ast.transform.program.bound_program import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.transform.program.bound_program import Pickled


class LoadedValue:
    """Gives what a pickle describes, made anew each time."""

    __getitem__ = staticmethod(loads)


def once_site(
    value: Pickled, groups: dict[bytes, defaultdict[int, object]]
) -> defaultdict[int, object]:
    """A site that gives *value*; *groups* are the values that were pickled together, by bytes."""
    group = groups.setdefault(value.data, defaultdict(partial(loads, value.data)))
    # `group[0][name]`: an iterator that asks the group when it is asked itself.
    found = map(itemgetter(value.name), iter(partial(getitem, group, 0), ()))
    return defaultdict(partial(next, found))


def again_site(value: Pickled) -> defaultdict[int, object]:
    """A site that gives what LoadedValue makes *value* from."""
    data = dumps(Call(getitem, Call(loads, value.data), value.name))
    return defaultdict(partial(itemgetter(0), (data,)))

"""What functions that are steps of pipelines use: ``@pipeline_process`` marks them, and leaves them
as they are; ``context`` has values that the nodes of one run share.

State of this process: ``PROCESSES``, the functions that were marked so far; ``OUTSIDE``, the values
of ``context`` outside of pipelines, and ``MADE``, empty until somebody imports that. State of a
context: ``SCOPE``, whose values those are.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextvars import Token
    from typing import Any, TypeVar, overload

    Function = TypeVar("Function", bound=Callable[..., Any])

PROCESSES: dict[str, Process] = {}
"""``module:qualname`` -> the process; a module that is imported again replaces its own."""


class Process:
    """A function that was marked, and how it is a node."""

    __slots__ = ("function", "key", "options")

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self.function = function
        #: What ``node`` of kohaku_ast gets beside the function.
        self.options = options
        #: ``module:qualname``.
        self.key = key_of(function)


def key_of(function: Callable[..., Any]) -> str:
    """``module:qualname`` of *function*."""
    return f"{function.__module__}:{function.__qualname__}"


def process_of(function: object) -> Process | None:
    """The Process of a *function* that was marked; None for another object."""
    if not hasattr(function, "__qualname__") or not callable(function):
        return None
    found = PROCESSES.get(key_of(function))
    return found if found is not None and found.function is function else None


if TYPE_CHECKING:

    @overload
    def pipeline_process(function: Function, /) -> Function: ...
    @overload
    def pipeline_process(
        *,
        output_name: str | Iterable[str] | None = None,
        cache: bool = True,
        name: str | None = None,
        rename: Mapping[str, str] | None = None,
        when: str | Callable[..., object] | None = None,
    ) -> Callable[[Function], Function]: ...


def pipeline_process(
    function: Any = None,
    /,
    *,
    output_name: Any = None,
    cache: bool = True,
    name: str | None = None,
    rename: Any = None,
    when: Any = None,
) -> Any:
    """The function itself, which stays what it is; ``Pipeline([function])`` and pipelines in TOML
    take it as a node. With and without parentheses.

    Its parameters are the inputs; *output_name* is the output, else the name of the function. The
    other options are those of ``kohaku_ast.node``. Raises TypeError for what is no function.
    """
    options = {"output_name": output_name, "cache": cache, "name": name, "rename": rename}
    options["when"] = when
    if function is None:
        return lambda function: _register(function, options)
    return _register(function, options)


def _register(function: Any, options: Mapping[str, Any]) -> Any:
    if not callable(function) or not hasattr(function, "__qualname__"):
        raise TypeError(
            f"@pipeline_process marks a function, got {function!r}: options have names, such as "
            '@pipeline_process(output_name="model")'
        )
    marked = Process(function, options)
    PROCESSES[marked.key] = marked
    return function


process = pipeline_process
"""Its short name."""


SCOPE: ContextVar[SharedValues | None] = ContextVar("kohaku_ast_values", default=None)
OUTSIDE: dict[str, Any] = {}
MADE: list[NodeContext] = []
_REQUIRED: Any = object()


class SharedValues:
    """The values of a run, as one call of a node sees them; inside of a ``with`` block they are
    those of ``context``.
    """

    __slots__ = ("_node", "_token", "_users", "around", "changed", "is_used", "shared")

    _token: Token[SharedValues | None]

    def __init__(
        self,
        shared: dict[str, Any],
        around: SharedValues | None = None,
        users: set[Any] | None = None,
        node: object = None,
    ) -> None:
        """*node* is added to *users* if it uses them."""
        self.shared = shared
        self.around = around
        self.is_used = False
        #: The names that it has set.
        self.changed: tuple[str, ...] = ()
        self._users = users
        self._node = node

    def shared_values(self) -> dict[str, Any]:
        """All of them."""
        return self.shared

    def __enter__(self) -> SharedValues:
        self._token = SCOPE.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        SCOPE.reset(self._token)
        if self.is_used and self._users is not None:
            self._users.add(self._node)


class ItemValues(SharedValues):
    """Those of the items of a map that one loop runs: each item begins anew. *results* has one for
    each item that is over.
    """

    __slots__ = ("_at", "_first", "_results")

    def __init__(
        self, results: list[Any], around: Any, first: dict[str, Any] | None = None
    ) -> None:
        super().__init__({}, around)
        self._results, self._at = results, -1
        #: What each item begins with; None: the values around.
        self._first = first

    def shared_values(self) -> dict[str, Any]:
        """Those of the item that runs."""
        if self._at != len(self._results):
            found = inherited(self.around) if self._first is None else dict(self._first)
            self._at, self.shared = len(self._results), found
        return self.shared


def own_values() -> SharedValues:
    """Those of a run that begins here."""
    around = SCOPE.get()
    return SharedValues(inherited(around), around)


def leave_run() -> None:
    """After a run without values of its own: if one of its nodes was the first to import
    ``context``, the values are those of the run.
    """
    OUTSIDE.clear()


def inherited(around: SharedValues | None) -> dict[str, Any]:
    """What a run begins with: a copy of the values *around* it."""
    return dict(OUTSIDE if around is None else around.shared_values())


class NodeContext:
    """Values that the nodes of one run of a pipeline share, besides inputs and outputs; outside of
    pipelines, those of the process, or of the run of a flow.
    """

    __slots__ = ()

    def __new__(cls) -> NodeContext:
        """One that was unpickled is in use, too."""
        made = super().__new__(cls)
        MADE.append(made)
        return made

    def set(self, name: str, value: object) -> None:
        """Have ``get(name)`` return *value* in the nodes of this run that need this one."""
        if not isinstance(name, str):
            raise TypeError(f"context.set({name!r}, ...): the name is a text")
        scope, values = _used()
        values[name] = value
        if scope is not None:
            scope.changed += (name,)

    def get(self, name: str, default: Any = _REQUIRED) -> Any:
        """The value that was set as *name*; *default*, if it is given and there is none. Raises
        LookupError if neither is there.
        """
        _, values = _used()
        found = values.get(name, default)
        if found is _REQUIRED:
            known = f"There is: {', '.join(values)}." if values else "Nothing is set yet."
            raise LookupError(
                f"context.get({name!r}): no node before this one has set it in this run, and no "
                f"default is given. {known}"
            )
        return found


if TYPE_CHECKING:
    context = NodeContext()


def __getattr__(name: str) -> object:
    """``context``, when somebody imports it: runs of pipelines pay nothing before."""
    if name != "context":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("context", NodeContext())


def _used() -> tuple[SharedValues | None, dict[str, Any]]:
    """Whose values these are, and the values; marks all around as used."""
    found = scope = SCOPE.get()
    while scope is not None:
        scope.is_used = True
        scope = scope.around
    return found, OUTSIDE if found is None else found.shared_values()

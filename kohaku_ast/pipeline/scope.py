"""Where and for whom a pipeline runs (engine, cache, callbacks), and what a run needs of it."""

from __future__ import annotations

from typing import Protocol

from kohaku_ast.errors import PipelineTypeError
from kohaku_ast.helpers.processes import SCOPE, SharedValues, inherited
from kohaku_ast.pipeline.callbacks import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Callback
    from kohaku_ast.pipeline.failure import Failure
    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan


class Scope:
    """Engine, cache, callbacks and context of a run. Frozen."""

    __slots__ = ("cache", "callbacks", "called", "context", "engine", "level", "lock")

    def __init__(
        self,
        engine: Any,
        cache: Any = None,
        callbacks: tuple[Callback, ...] = (),
        context: Context | None = None,
        level: Any = None,
        lock: threading.RLock | None = None,
        called: str = "",
    ) -> None:
        #: A RunEngine.
        self.engine = engine
        self.cache = cache
        self.callbacks = callbacks
        self.context = context or Context()
        #: The engine's NestingLevel: what it opened for the whole run, and how deep this one is.
        self.level = level
        #: Acquired while callbacks are notified: they get one event at a time.
        self.lock = lock
        #: What events call its one node, which is called in the body of an imperative pipeline.
        self.called = called

    def replaced(self, **changes: Any) -> Scope:
        """A copy with *changes*."""
        return Scope(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})

    @property
    def recorder(self) -> Any:
        """The RunRecorder among the callbacks; None if there is none."""
        return next((one for one in self.callbacks if one.is_recorder), None)

    def at(self, item: int) -> Scope:
        """The scope of an item of a map."""
        context = self.context.at(item)
        return Scope(self.engine, self.cache, self.callbacks, context, self.level, self.lock)

    def notify(self, event: str, *values: Any, context: Context | None = None) -> None:
        """Call the method *event* of all callbacks, in their order."""
        if not self.callbacks:
            return
        if self.lock is None:
            self._notify(event, values, context or self.context)
            return
        with self.lock:
            self._notify(event, values, context or self.context)

    def _notify(self, event: str, values: tuple[Any, ...], context: Context) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*values, context)


class NodeValues:
    """The values of ``context`` in one run, and which of its nodes used them."""

    __slots__ = ("around", "users", "values")

    def __init__(self, is_joined: bool = False) -> None:
        """*is_joined*: they are those of the code around, which calls the only node."""
        #: Whose values are around the run.
        self.around = SCOPE.get()
        #: Name -> value, as the nodes so far have set them.
        own = self.around.shared_values() if is_joined and self.around is not None else None
        self.values = inherited(self.around) if own is None else own
        #: The nodes that read or set a value, and those that read outputs of such nodes.
        self.users: set[NodeLike] = set()

    def of(self, node: NodeLike) -> SharedValues:
        """Inside, ``context`` is that of *node*. A script has values of its own, since it may run
        in a process of its own.
        """
        values = {} if hasattr(node, "run_recorded") else self.values
        return SharedValues(values, self.around, self.users, node)

    def have_fed(self, node: NodeLike, plan: Plan, given: Collection[str]) -> bool:
        """Whether the results of *node* may depend on the values, which no key contains."""
        if not self.users:
            return False
        read = {name for name in node.inputs if name not in given}
        if any(not read.isdisjoint(one.outputs) for one in plan.nodes if one in self.users):
            self.users.add(node)
        return node in self.users


def is_script(node: NodeLike) -> bool:
    """Whether *node* runs a script."""
    return hasattr(node, "run_recorded")


class PipelineLike(Protocol):
    """What runs, nested nodes and drawings need of a Pipeline."""

    #: The node that last raised.
    last_error: Failure | None
    cache: Any
    #: Name -> value of what is bound.
    bound: Mapping[str, Any]
    #: The folder of the record of its last run.
    last_record: str
    #: The TOML file that it is from, or empty.
    file: str
    has_scripts: bool
    #: The permanences in it, at any depth.
    held: tuple[Any, ...]
    #: Whether a node, at any depth, has a condition.
    may_skip: bool

    @property
    def name(self) -> str:
        """What errors, callbacks and drawings call it."""

    @property
    def graph(self) -> Graph:
        """The nodes and the names between them."""

    @property
    def nodes(self) -> tuple[NodeLike, ...]:
        """The nodes, in an order in which they can run."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that no node gives."""

    @property
    def callbacks(self) -> tuple[Callback, ...] | None:
        """Its own callbacks, or None."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing in it has a condition, or a cache or callbacks of its own."""

    def plan(
        self, given: Iterable[str], output_name: Any = None, loose: frozenset[str] = frozenset()
    ) -> Plan:
        """What would run for values of the names *given*."""

    def filled(
        self, plan: Plan, values: Mapping[str, Any], varying: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """*values*, and the bound ones that *plan* needs."""

    def scope(self, outer: Scope | None) -> Scope:
        """Its own engine, cache and callbacks, and those of *outer* where it has none."""


def checked_cache(cache: Any) -> Any:
    """*cache*. Raises PipelineError if it has no ``load`` and ``store``."""
    if cache is None or (hasattr(cache, "load") and hasattr(cache, "store")):
        return cache
    hint = f"DiskCache({cache!r})" if isinstance(cache, str) else "a DiskCache or a MemoryCache"
    raise PipelineTypeError(f"cache is {cache!r}: give {hint}.")

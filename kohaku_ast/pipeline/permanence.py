"""``permanence(load_model, path="x")``: a resource that each process makes once in a run.

A pipeline has it as a bound value. That is a recipe, which goes to workers as it is; a node that
takes it gets what the factory makes in the node's process.

State of this process: ``_process``, what was made here and is not released.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kohaku_ast.errors import PipelineError, PipelineTypeError, did_you_mean
from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.processes import SharedValues
from kohaku_ast.pipeline.failure import add_note, warn
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import Recipe, is_async, place
from kohaku_ast.users_traceback import public


@public
def permanence(factory: Callable[..., Any], /, **params: Any) -> Permanence:
    """What ``factory(**params)`` makes, once in each process that runs nodes which take it, when
    the first of them runs: ``Pipeline(nodes, permanences={"model": permanence(load, path="x")})``.

    It is released at the end of the run: a generator function goes on after its ``yield``, an
    object with ``close()`` is closed, another context manager is entered and left.
    Raises PipelineError for parameters that the factory does not have.
    """
    return Permanence(factory, params)


class Ticket(NamedTuple):
    """The run that a Permanence was sent for to another process."""

    #: The process that sent it, and the number of its run there.
    sender: str
    run: int
    #: The runs there that have not ended.
    active: tuple[int, ...]


class Permanence(Recipe):
    """A factory with its parameters. Equal copies in other processes have the same ``key``."""

    __slots__ = ("factory", "identity", "key", "params", "ticket")

    def __init__(
        self,
        factory: Callable[..., Any],
        params: Mapping[str, Any],
        key: str = "",
        ticket: Ticket | None = None,
    ) -> None:
        if not key:
            check_factory(factory, params)
        self.factory = factory
        self.params = dict(params)
        self.key = key or os.urandom(8).hex()
        self.ticket = ticket
        self.identity = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Permanence, (self.factory, self.params, self.key, this_process().ticket(self))

    def __kogine_parts__(self) -> Iterator[tuple[str, Any]]:
        """Its parts in keys of a cache: the code and the values, never what is made."""
        yield "function", self.factory
        yield from sorted(self.params.items())

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{self!r} has no {name!r}: it is the recipe. What it makes goes to nodes of "
            "Pipeline(..., permanences={...})."
        )

    @property
    def where(self) -> str:
        """``file.py:12``, or the module of a factory that has no Python code."""
        code = getattr(self.factory, "__code__", None)
        if code is None:
            return str(getattr(self.factory, "__module__", None) or "builtins")
        return place(code.co_filename, code.co_firstlineno)

    def __str__(self) -> str:
        from kohaku_ast.display.text import short_repr

        values = ", ".join(f"{name}={short_repr(one)}" for name, one in self.params.items())
        return f"{name_of(self.factory)}({values})"

    def __repr__(self) -> str:
        return f"<permanence {self}>"


def name_of(factory: Any) -> str:
    """The name of a factory in messages."""
    return str(getattr(factory, "__qualname__", None) or repr(factory))


def check_factory(factory: Any, params: Mapping[str, Any]) -> None:
    """Raise PipelineError unless ``factory(**params)`` is a call that Python accepts."""
    import inspect

    if not callable(factory) or isinstance(factory, Node):
        raise PipelineTypeError(f"a permanence is made by a function or a class, got {factory!r}.")
    if is_async(factory) or inspect.isasyncgenfunction(factory):
        raise PipelineTypeError(
            f"the permanence {name_of(factory)} is async: write a function that runs it to its end."
        )
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # a function of C may have none
        return
    kinds = [one.kind for one in signature.parameters.values()]
    unknown = [name for name in params if name not in signature.parameters]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        known = [*signature.parameters]
        hint = did_you_mean(unknown[0], known) or f" It has: {', '.join(known) or 'none'}."
        raise PipelineError(
            f"the permanence {name_of(factory)} has no parameter {unknown[0]!r}.{hint}"
        )
    try:
        signature.bind(**params)
    except TypeError as error:
        raise PipelineError(
            f"the permanence {name_of(factory)}: {error}. Values are given as in "
            f'permanence({name_of(factory)}, path="x").'
        ) from None


# --- what is made in this process ----------------------------------------------------------------


class _Resource:
    """What one Permanence has become in this process."""

    __slots__ = (
        "_release", "is_closed", "is_made", "lock", "made", "number", "seconds", "users", "value",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        #: The number of the run that it is for, in the process where that runs.
        self.number = number
        #: Acquired while it is made: others wait for it.
        self.lock = threading.Lock()
        #: How many runs hold it. After the last one it is closed.
        self.users = 0
        self.is_made = self.is_closed = False
        self.value: Any = None
        #: How often it was made, here and in workers, and how long that took together.
        self.made, self.seconds = 0, 0.0
        self._release: list[Callable[[], object]] = []

    def get(self, recipe: Permanence) -> Any:
        """What the factory has made, now or before."""
        if self.is_made:
            return self.value
        with self.lock:
            if not self.is_made:
                started = time.perf_counter()
                self.value, release = call(recipe)
                seconds = time.perf_counter() - started
                self._release.append(release)
                self.is_made = True
                self.note(seconds)
                if recipe.ticket is not None:
                    this_process().news.append((recipe.key, seconds))
        if self.is_closed:  # by Ctrl-C, meanwhile
            self.close(recipe)
        return self.value

    def note(self, seconds: float) -> None:
        """It was made once more."""
        self.made += 1
        self.seconds += seconds

    def close(self, recipe: Permanence) -> None:
        """Release what was made. An exception there is a warning: the results are complete."""
        self.is_closed = True
        if not self._release:
            return
        release = self._release.pop()
        try:
            release()
        except Exception as error:
            warn(
                f"the permanence {recipe} ({recipe.where}) raised when it was released: "
                f"{type(error).__name__}: {error}"
            )


def call(recipe: Permanence) -> tuple[Any, Callable[[], object]]:
    """What the factory makes, and the function that releases it. ``trim_traceback`` knows this
    function by its name: the frames below it are the user's.

    It sees none of the values of ``context``: which run makes it for all others, nobody knows.
    """
    try:
        with SharedValues({}):
            found = recipe.factory(**recipe.params)
        if type(found) is types.GeneratorType:
            with SharedValues({}):
                return _first(found), lambda: _finish(found)
        if callable(getattr(found, "close", None)):
            return found, found.close
        if hasattr(type(found), "__enter__") and hasattr(type(found), "__exit__"):
            return found.__enter__(), lambda: found.__exit__(None, None, None)
    except Exception as error:
        add_note(error, f"in permanence {recipe} ({recipe.where})")
        raise
    return found, lambda: None


def _first(generator: Any) -> Any:
    for value in generator:
        return value
    raise RuntimeError("the generator has ended without a yield")


def _finish(generator: Any) -> None:
    for _ in generator:
        generator.close()
        raise RuntimeError("it has a second yield")


class _Process:
    """The resources of one process. Every method is for any thread."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        #: A name that no other process has.
        self.name = os.urandom(8).hex()
        self.lock = threading.RLock()
        #: Key -> the recipe, and what has become of it.
        self.resources: dict[str, tuple[Permanence, _Resource]] = {}
        #: Keys of what was made here for runs of another process, and seconds.
        self.news: list[tuple[str, float]] = []
        self._runs = 0
        self._ends_well = False

    def enter(self, recipe: Permanence) -> None:
        """A run that holds it begins."""
        with self.lock:
            if not self.is_held(recipe):
                self._runs += 1
                self.resources[recipe.key] = recipe, _Resource(self._runs)
            self.resources[recipe.key][1].users += 1

    def leave(self, recipe: Permanence) -> None:
        """A run that holds it has ended."""
        with self.lock:
            _, resource = self.resources[recipe.key]
            resource.users -= 1
            if resource.users:
                return
            del self.resources[recipe.key]
        resource.close(recipe)

    def ticket(self, recipe: Permanence) -> Ticket | None:
        """For another process; None if no run here holds it."""
        given = recipe.ticket
        if given is not None and given.sender != self.name:
            return given  # it goes on, or back
        with self.lock:
            if recipe.key not in self.resources:
                return None
            active = tuple([one.number for _, one in self.resources.values()])
            return Ticket(self.name, self.resources[recipe.key][1].number, active)

    def is_held(self, recipe: Permanence) -> bool:
        """Whether a run holds it: one of another process does so until it has ended."""
        ticket = recipe.ticket
        if ticket is None or ticket.sender == self.name:
            return recipe.key in self.resources
        with self.lock:
            self._close_ended(ticket)
            if recipe.key not in self.resources:
                self._end_well()
                resource = _Resource(ticket.run)
                resource.users = 1
                self.resources[recipe.key] = recipe, resource
        return True

    def _close_ended(self, ticket: Ticket) -> None:
        """Release what is left of runs that have ended: a worker may outlive them."""
        for recipe, resource in [*self.resources.values()]:
            is_of_sender = recipe.ticket is not None and recipe.ticket.sender == ticket.sender
            if is_of_sender and resource.number not in ticket.active:
                del self.resources[recipe.key]
                resource.close(recipe)

    def close(self) -> None:
        """Release everything: the process ends."""
        if self.pid != os.getpid():
            return
        for recipe, resource in [*self.resources.values()]:
            resource.close(recipe)
        self.resources.clear()

    def _end_well(self) -> None:
        """Have this worker release what it holds when it ends, also by SIGTERM."""
        if self._ends_well:
            return
        self._ends_well = True
        import atexit
        from multiprocessing.util import Finalize

        atexit.register(self.close)
        Finalize(None, self.close, exitpriority=0)  # workers of multiprocessing end without atexit
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        try:
            self.close()
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_process = _Process()


def this_process() -> _Process:
    """The _Process of this process: a forked child has nothing of its parent's."""
    global _process
    if _process.pid != os.getpid():
        _process = _Process()
    return _process


@contextmanager
def holding(recipes: Collection[Permanence]) -> Iterator[None]:
    """Inside, what is made stays; it is released when nobody holds it any more."""
    here = this_process()
    for one in recipes:
        here.enter(one)
    try:
        yield
    finally:
        for one in reversed([*recipes]):
            if here.pid == os.getpid():  # else a child that a node has forked ends
                here.leave(one)


def taken_news() -> list[tuple[str, float]]:
    """What was made here for runs of other processes since the last call."""
    here = this_process()
    found, here.news = here.news, []
    return found


def add_news(made: Iterable[tuple[str, float]]) -> None:
    """Count what workers have made."""
    here = this_process()
    for key, seconds in made:
        with here.lock:
            if key in here.resources:
                here.resources[key][1].note(seconds)


def made_for(pipeline: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, object]]:
    """One of the field ``permanences`` for each of *pipeline*, at any depth, which a run holds."""
    for name, one in pipeline.bound.items():
        if isinstance(one, Permanence):
            _, found = this_process().resources[one.key]
            yield {
                "name": "/".join((*path, name)),
                "made_by": f"{one}",
                "where": one.where,
                "made": found.made,
                "seconds": round(found.seconds, 6),
            }
    for node in pipeline.nodes:
        if hasattr(node, "pipeline"):
            yield from made_for(node.pipeline, (*path, node.name))

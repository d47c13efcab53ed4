"""``class Camera(Component)``: does one thing over and over, and knows its ports only; and the
components that every system may need.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from types import MappingProxyType
from typing import Any

from kohaku_ast.errors import SystemsError, SystemsTypeError, check_type, did_you_mean, read_number
from kohaku_ast.pipeline.edge_types import fits, name_of, of_output, of_parameter
from kohaku_ast.pipeline.node import REQUIRED, call_arguments, callable_parameters
from kohaku_ast.pipeline.node_like import output_names, place
from kohaku_ast.pipeline.script_node import script
from kohaku_ast.systems.node import HERE, Node
from kohaku_ast.systems.ports import Input, Output
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_ARGUMENTS = ("name", "node", "rate", "config")
"""What a component takes beside the fields of its config, which none of them can be called."""


class Component:
    """One computation with typed ports. A subclass declares them, and what it does::

        class Planner(Component):
            @dataclass
            class Config:
                gain: float = 0.5

            boxes = Input(list)
            command = Output(float)

            def step(self, boxes):
                return self.config.gain * len(boxes)

    ``step`` (or ``forward``) is called with a message of each input and returns the message of the
    output: a dict of them, or a tuple, if there are several; None sends nothing. A generator sends
    each value that it yields. A component without connected inputs is a source, one without outputs
    a sink. A message belongs to everybody who gets it: nobody changes it after it was sent.
    """

    #: A dataclass of its settings; None: it has none.
    Config: Any = None
    #: Steps per second of a source; None: as many as the others take.
    rate: float | None = None
    #: The ports that the class declares, by name.
    declared: Mapping[str, Input | Output] = MappingProxyType({})

    @public
    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {key: one for key, one in vars(cls).items() if isinstance(one, (Input, Output))}
        cls.declared = MappingProxyType({**cls.declared, **own})
        _check_class(cls)

    @public
    def __init__(
        self,
        *,
        name: str = "",
        node: Node | None = None,
        rate: float | None = None,
        config: Any = None,
        **given: Any,
    ) -> None:
        """*given* are fields of the config (``width=64``), and outputs of others for the inputs
        (``image=camera.image``). *name* is the name of the class in small letters without it.
        """
        check_type(name, str, "the name of a component is a text", SystemsError)
        check_type(node, (Node, type(None)), "node is a Node", SystemsError)
        #: What errors, drawings and ``camera.width=64`` call it.
        self.name = name or _default_name(type(self))
        if not self.name.isidentifier():
            raise SystemsError(
                f"{self.name!r} cannot name a component: take a name as of a variable."
            )
        #: Where it runs.
        self.node = node or HERE
        self.rate = _rate(self.rate if rate is None else rate)
        ports = {key: one.of(self, key) for key, one in self.declared.items()}
        self.__dict__.update(ports)
        #: Its inputs, by name.
        self.inputs = {key: one for key, one in ports.items() if isinstance(one, Input)}
        #: Its outputs, by name.
        self.outputs = {key: one for key, one in ports.items() if isinstance(one, Output)}
        settings = {key: one for key, one in given.items() if key not in self.inputs}
        #: Its settings.
        self.config = self._configured(config, settings)
        for key in given.keys() & self.inputs.keys():
            if not isinstance(given[key], Output):
                raise SystemsTypeError(
                    f"{key} is an input of {self.name}: give an output, got {given[key]!r}"
                )
            self.inputs[key].connect(given[key])

    def setup(self) -> None:
        """Called once, where it runs, before the first step."""

    def teardown(self) -> None:
        """Called once after the last step, also after a failure."""

    @property
    def run_step(self) -> Callable[..., Any]:
        """``step`` or ``forward``, whichever the class has."""
        return getattr(self, "step", None) or self.forward  # type: ignore[attr-defined,no-any-return]

    @property
    def is_source(self) -> bool:
        """Whether none of its inputs is connected."""
        return all(one.source is None for one in self.inputs.values())

    def initial(self) -> Mapping[str, Any]:
        """Output -> the message that it sends before the first step."""
        return {}

    @classmethod
    @public
    def of_function(
        cls,
        function: Callable[..., Any],
        outputs: str | Iterable[str] = "out",
        *,
        name: str = "",
        node: Node | None = None,
        rate: float | None = None,
    ) -> Component:
        """A component whose step is *function*: its parameters are the inputs, those with defaults
        need no connection. *outputs* name what it returns; a generator function without connected
        inputs is a source that ends with it.
        """
        return _function_component(function, outputs)(name=name, node=node, rate=rate)

    @classmethod
    @public
    def of_script(
        cls,
        path: str,
        outputs: str | Iterable[str],
        inputs: Mapping[str, str] | Iterable[str] = (),
        *,
        name: str = "",
        node: Node | None = None,
    ) -> Component:
        """A component whose step runs the script *path*. *inputs* are targets that get messages as
        values (``["lr"]``, or ``{"Args.lr": "lr"}`` with names of inputs), *outputs* globals at the
        end of the script. Without connected inputs it runs once.
        """
        return _script_component(path, outputs, inputs)(name=name, node=node)

    def _configured(self, config: Any, settings: Mapping[str, Any]) -> Any:
        kind = self.Config
        known = [one.name for one in dataclasses.fields(kind)] if kind else []
        for key in settings:
            if key not in known:
                have = [*known, *self.inputs]
                raise SystemsTypeError(
                    f"{type(self).__name__} has no setting and no input {key!r} "
                    f"(it has: {', '.join(have) or 'none'}).{did_you_mean(key, have)}"
                )
        if config is not None and (kind is None or not isinstance(config, kind)):
            raise SystemsTypeError(f"config is a {type(self).__name__}.Config, got {config!r}")
        if config is not None:
            return dataclasses.replace(config, **settings)
        return kind(**settings) if kind else None

    def messages(self, result: Any) -> Mapping[str, Any]:
        """Output -> message, of the *result* of a step. Raises SystemsError for one that does not
        fit the outputs.
        """
        if result is None:
            return {}
        if len(self.outputs) == 1:
            return {next(iter(self.outputs)): result}
        if isinstance(result, dict):
            for key in result:
                if key not in self.outputs:
                    raise SystemsError(
                        f"a step of {self.name} returned {key!r}. {self._own_outputs()}"
                    )
            return result
        if isinstance(result, tuple) and len(result) == len(self.outputs) > 1:
            return dict(zip(self.outputs, result))
        raise SystemsTypeError(
            f"a step of {self.name} returned {result!r:.80}. {self._own_outputs()}"
        )

    def _own_outputs(self) -> str:
        if not self.outputs:
            return "It has no output: return nothing, or declare one: image = Output(bytes)."
        names = ", ".join(map(repr, self.outputs))
        return f"Its outputs are {names}: return a dict of them, or a tuple of as many."

    def check_message(self, name: str, kind: type) -> None:
        """Raise SystemsTypeError if a message of the class *kind* is none of the output *name*."""
        if not fits(kind, self.outputs[name].type):
            raise SystemsTypeError(
                f"{self.name}.{name} sent a {kind.__name__}, and is declared as "
                f"{name_of(self.outputs[name].type)}"
            )

    def __repr__(self) -> str:
        return f"<component {self.name} ({type(self).__name__}) on {self.node.where}>"


def configure(component: Component, setting: str, value: Any) -> None:
    """Give a field of its config, or its ``rate``, another *value*. Raises SystemsError."""
    if setting == "rate":
        component.rate = _rate(value)
    else:
        component.config = dataclasses.replace(component.config, **{setting: value})


def _rate(rate: Any) -> float | None:
    """*rate*, steps per second or None. Raises SystemsError for another one."""
    if rate is not None and not read_number("rate", rate, 0, is_whole=False, of=SystemsError):
        raise SystemsError("rate is the steps per second, got 0")
    return rate  # type: ignore[no-any-return]


def _default_name(kind: type) -> str:
    """``LidarScanner`` -> ``lidar_scanner``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower()


def _check_class(cls: type[Component]) -> None:
    """Raise SystemsError for a class that could not work."""
    who = f"{cls.__name__} ({place_of_class(cls)})"
    if "__init__" in vars(cls):
        raise SystemsError(
            f"{who} has an __init__: an engine makes it again elsewhere. Declare its settings in "
            "a dataclass Config, and make what it needs in setup()."
        )
    if cls.Config is not None and not dataclasses.is_dataclass(cls.Config):
        raise SystemsTypeError(f"{who}: Config is no dataclass: write @dataclass above it.")
    fields = [one.name for one in dataclasses.fields(cls.Config)] if cls.Config else []
    taken = {*dir(Component), *_ARGUMENTS, "inputs", "outputs", "step", "forward"}
    for key in [*(taken & {*cls.declared}), *({*_ARGUMENTS, *cls.declared} & {*fields})]:
        raise SystemsError(f"{who}: {key!r} has a meaning already: take another name.")
    both = [one for one in ("step", "forward") if one in vars(cls)]
    if len(both) == 2:
        raise SystemsError(f"{who} has step and forward: keep one of them.")
    if both:
        _check_step(cls, vars(cls)[both[0]], who)


def _check_step(cls: type[Component], step: Any, who: str) -> None:
    if inspect.iscoroutinefunction(step):
        raise SystemsTypeError(f"{who}: its step is async: engines call plain functions.")
    parameters = [*inspect.signature(step).parameters.values()][1:]
    if any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters):
        return
    inputs = [key for key, one in cls.declared.items() if isinstance(one, Input)]
    taken = [one.name for one in parameters]
    missing = [
        f"{key!r} is an input that its step does not take" for key in inputs if key not in taken
    ]
    missing += [
        f"its step takes {one.name!r}, which is no input: declare {one.name} = Input(...)"
        for one in parameters
        if one.name not in inputs and one.default is one.empty
    ]
    if missing:
        raise SystemsError(f"{who}: {'; '.join(missing)}.")


def place_of_class(cls: type) -> str:
    """``sys.py:12``, or the module of a class that has no source."""
    for one in ("step", "forward", "setup"):
        code = getattr(vars(cls).get(one), "__code__", None)
        if code is not None:
            return place(code.co_filename, code.co_firstlineno)
    return cls.__module__


def unconnected(component: Component) -> dict[str, Any]:
    """Input that nobody connects -> its default."""
    return {
        key: one.default
        for key, one in component.inputs.items()
        if one.source is None and one.default is not REQUIRED
    }


class Timer(Component):
    """A source that sends 0, 1, 2, ... at its ``rate``: ``Timer(rate=30)``."""

    tick = Output(int)

    def setup(self) -> None:
        """Start at 0."""
        self.ticks = 0

    def step(self) -> int:
        """The next number."""
        self.ticks += 1
        return self.ticks - 1


class Values(Component):
    """A source that sends each of the *items* of a list, and ends."""

    @dataclasses.dataclass
    class Config:
        """Its settings."""

        #: The messages.
        items: list[Any]

    value = Output()

    def step(self) -> Iterator[Any]:
        """Each item."""
        yield from self.config.items


class Delay(Component):
    """Sends *initial* first, and then each message that it gets: the next component sees it one
    step later. A cycle of components needs one.
    """

    @dataclasses.dataclass
    class Config:
        """Its settings."""

        #: The first message.
        initial: Any

    value = Input()
    delayed = Output()

    def initial(self) -> Mapping[str, Any]:
        """The first message."""
        return {"delayed": self.config.initial}

    def step(self, value: Any) -> Any:
        """*value* itself."""
        return value


class FunctionComponent(Component):
    """What ``Component.of_function`` makes a subclass of."""

    function: Callable[..., Any]
    parameters: Sequence[Any]

    @property
    def run_step(self) -> Callable[..., Any]:
        """The function itself, if it takes keywords."""
        kinds = {one.kind for one in type(self).parameters}
        return self.step if "positional" in kinds else type(self).function

    def step(self, **values: Any) -> Any:
        """The result of the function."""
        args, kwargs = call_arguments(type(self).parameters, values)
        return type(self).function(*args, **kwargs)


def _function_component(
    function: Callable[..., Any], outputs: str | Iterable[str]
) -> type[FunctionComponent]:
    """The class of components whose step is *function*."""
    if not callable(function) or not hasattr(function, "__qualname__"):
        raise SystemsTypeError(f"of_function takes a function, got {function!r}")
    who = f"function {function.__qualname__}"
    names = output_names(outputs, who) if outputs else ()
    ports: dict[str, Any] = {}
    parameters = callable_parameters(function, who)
    for one in parameters:
        hint = of_parameter(function, one.name)
        ports[one.name] = Input(hint, default=one.default)
    for index, name in enumerate(names):
        if name in ports:
            raise SystemsError(f"{who}: {name!r} is a parameter: give the output another name.")
        ports[name] = Output(_sent_type(function, index, len(names)))
    own = {"function": staticmethod(function), "parameters": parameters}
    kind = type(function.__name__, (FunctionComponent,), {**ports, **own})
    kind.recipe = {"function": function, "outputs": [*names]}  # type: ignore[attr-defined]
    return kind


def _sent_type(function: Callable[..., Any], index: int, count: int) -> Any:
    """The type of an output; what a generator function yields may be anything."""
    if inspect.isgeneratorfunction(function):
        return Any
    hint = of_output(function, index, count)
    return Any if hint is None else hint


class ScriptComponent(Component):
    """What ``Component.of_script`` makes a subclass of."""

    script_node: Any

    def step(self, **values: Any) -> Iterator[Any]:
        """The outputs of one run of the script."""
        results = self.script_node.run(values)
        yield results if len(results) > 1 else results[0]


def _script_component(
    path: str, outputs: str | Iterable[str], inputs: Mapping[str, str] | Iterable[str]
) -> type[ScriptComponent]:
    """The class of components whose step runs the script *path*."""
    names = [inputs] if isinstance(inputs, str) else inputs
    targets = dict(names) if isinstance(names, dict) else {one: one for one in names}
    for target, name in targets.items():
        if not name.isidentifier():
            raise SystemsError(
                f"{path}: {name!r} cannot name an input: give one: inputs={{{target!r}: 'name'}}"
            )
    found = script(path, outputs, targets)
    ports: dict[str, Any] = {name: Input() for name in targets.values()}
    ports.update({name: Output() for name in found.outputs})
    stem = os.path.splitext(os.path.basename(path))[0]
    name = stem if stem.isidentifier() else "script"
    kind = type(name, (ScriptComponent,), {**ports, "script_node": found})
    kind.recipe = {  # type: ignore[attr-defined]
        "script": os.path.abspath(path), "outputs": [*found.outputs], "inputs": targets,
    }  # fmt: skip
    return kind

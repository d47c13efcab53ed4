"""Callers: the calls of a text, and the arguments that they pass in the place of a default.

Only what the text shows for certain: a function that is passed on, called by its name as text, or
called with ``*args`` may be called without the argument.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from kohaku_ast.transform.find.bindings import FUNCTIONS, by_name, find_definitions, is_starred
from kohaku_ast.transform.find.calls import Function, parameters_of
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import (
    called_name,
    is_dunder,
    nodes_of,
    split_default,
)


@dataclass(frozen=True)
class _Signature:
    """What decides which argument of a call a parameter gets."""

    name: str
    #: The names that take positional arguments.
    positional: list[str]
    #: The nodes of the override's values: a call that passes one of these uses it.
    values: set[int]


_LOOK_UPS = {
    "getattr", "globals", "locals", "vars", "eval", "exec", "__dict__", "methodcaller",
    "attrgetter", "Fire",
}  # fmt: skip


def _of_partial(call: ast.Call) -> ast.Call | None:
    """The call that ``partial(train, lr=0.2)`` stands for: it passes at least that."""
    if called_name(call.func) != "partial" or not call.args or is_starred(call.args[0]):
        return None
    made = ast.Call(func=call.args[0], args=call.args[1:], keywords=call.keywords)
    return ast.copy_location(made, call)


class Callers:
    """The calls of one file."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = nodes_of(tree)
        calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.calls = [_of_partial(one) or one for one in calls]
        self.called = {id(call.func) for call in self.calls}
        self.classes = [node for node in self.nodes if isinstance(node, ast.ClassDef)]
        self.globals = by_name(find_definitions(tree))
        #: The texts by which the file may look a function up.
        self.texts = {
            node.value
            for node in self.nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        names = {getattr(node, "id", getattr(node, "attr", "")) for node in self.nodes}
        if not names & _LOOK_UPS:
            self.texts.clear()  # `print("train")`

    def arguments_instead(self, one: Parameter) -> list[ast.expr]:
        """The arguments that all calls pass in the place of the default *one*; empty if some call
        uses it, or may use it.
        """
        return self.passed_instead(one.kind, one.target, {id(site.node) for site in one.sites})

    def passed_instead(self, kind: str, target: str, values: set[int]) -> list[ast.expr]:
        """The same, for a parameter of this *kind* and *target*; *values* are the nodes that take
        its value.
        """
        if kind == "class attribute":
            owner, name = target.rpartition(".")[::2]
            return self._of_field(owner, name, values)
        parts = split_default(target)
        if kind != "default" or parts is None:
            return []
        owner, name = parts
        return self._of_function(owner, name, values)

    def _of_function(self, owner: str, name: str, values: set[int]) -> list[ast.expr]:
        scope, _, last = owner.rpartition(".")
        nodes = [node for node in self._functions(last) if self._class_of(node) == scope]
        if len(nodes) != 1 or not _is_plain(nodes[0]):
            return []
        own = [argument.arg for argument, _ in parameters_of(nodes[0])]
        positional = own[: len(own) - len(nodes[0].args.kwonlyargs)]
        if not scope:
            return self._all_passed(self._by_name(last), _Signature(name, positional, values))
        bound = positional if _is_static(nodes[0]) else positional[1:]
        signature = _Signature(name, bound, values)
        if last == "__init__":
            return self._all_passed(self._initializations(scope), signature)
        if is_dunder(last):
            return []  # Python calls it: `__call__`, `__new__` of a metaclass
        calls = self._by_attribute(last, scope, is_bound=bool(nodes[0].decorator_list))
        return self._all_passed(calls, signature)

    def _of_field(self, owner: str, name: str, values: set[int]) -> list[ast.expr]:
        nodes = [node for node in self.classes if node.name == owner]
        if len(nodes) != 1 or not _makes_init(nodes[0]):
            return []
        is_read = any(
            isinstance(node, ast.Attribute)
            and node.attr == name
            and called_name(node.value) == owner
            for node in self.nodes
        )
        fields = [
            one.target.id
            for one in nodes[0].body
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        ]
        if is_read or name not in fields:
            return []
        # Fields of a base class stand before its own.
        positional = fields if not _has_unknown_base(nodes[0]) else []
        return self._all_passed(self._constructions(owner), _Signature(name, positional, values))

    def _functions(self, name: str) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, FUNCTIONS) and node.name == name)

    def _class_of(self, function: Function) -> str:
        """The class that *function* is a method of; empty for a function."""
        return next((node.name for node in self.classes if function in ast.walk(node)), "")

    def _by_name(self, name: str) -> list[ast.Call] | None:
        """All calls of the function or class *name*; None if it may be called otherwise."""
        if name in self.texts or any(
            isinstance(node, ast.Name) and node.id == name and id(node) not in self.called
            for node in self.nodes
        ):
            return None
        return [
            call for call in self.calls if isinstance(call.func, ast.Name) and call.func.id == name
        ]

    def _by_attribute(self, name: str, owner: str, *, is_bound: bool) -> list[ast.Call] | None:
        """All calls that may be of the method *name* of *owner*; None if it may be called
        otherwise. *is_bound*: ``Model.make(3)`` gives no instance.
        """
        uses = [
            node for node in self.nodes if isinstance(node, ast.Attribute) and node.attr == name
        ]
        if name in self.texts or any(id(node) not in self.called for node in uses):
            return None
        found = [call for call in self.calls if getattr(call.func, "attr", "") == name]
        owners = [called_name(call.func.value) for call in found]  # type: ignore[attr-defined]
        if owner in owners and not is_bound:
            return None  # `Model.fit(model, 3)`
        bases = self._calls_of_bases(owner)
        return [
            call
            for call in found
            if id(call) not in bases and not self._is_of_another(call.func.value)  # type: ignore[attr-defined]
        ]

    def _calls_of_bases(self, owner: str) -> set[int]:
        """The calls of ``super().fit(...)`` that cannot be of *owner*, as they stand in it or in a
        class without it as a base.
        """
        derived = [*self._derived(owner)]
        for one in derived:
            derived += [node for node in self._derived(one.name) if node not in derived]
        others = [node for node in self.classes if node not in derived]
        calls = [call for node in others for call in ast.walk(node) if isinstance(call, ast.Call)]
        return {id(call) for call in calls if _is_of_super(call)}

    def _is_of_another(self, receiver: ast.expr) -> bool:
        """Whether *receiver* is a global that is made by an imported class or function."""
        if not isinstance(receiver, ast.Name) or receiver.id not in self.globals:
            return False
        made_by = [
            ast.unparse(one.value.func).partition(".")[0] if isinstance(one.value, ast.Call) else ""
            for one in self.globals[receiver.id]
        ]
        return all(
            name in self.globals and all(one.form == "import" for one in self.globals[name])
            for name in made_by
        )

    def _constructions(self, name: str) -> list[ast.Call] | None:
        """All calls that make an instance of the class *name*; None if others may exist."""
        if any(node.name != name for node in self._derived(name)) or self._copies_classes():
            return None
        return self._by_class_name(name)

    def _initializations(self, name: str) -> list[ast.Call] | None:
        """All calls of the ``__init__`` that stands in the class *name*, those by instances of
        derived classes too; None if others may exist.
        """
        found = None if self._copies_classes() else self._by_class_name(name)
        for node in self._derived(name):
            if found is None or len(node.bases) != 1 or node.keywords or node.decorator_list:
                return None
            own = next((one for one in node.body if _is_init(one)), None)
            more = self._initializations(node.name) if own is None else self._by_super(own)
            found = None if more is None else [*found, *more]
        return found

    def _derived(self, name: str) -> list[ast.ClassDef]:
        """The classes that name *name* as a base."""
        return [node for node in self.classes if name in map(called_name, node.bases)]

    def _copies_classes(self) -> bool:
        """Whether a call makes an object of the class of another, or initializes one by name."""
        return any(
            called_name(call.func) == "__class__"
            or (isinstance(call.func, ast.Call) and called_name(call.func.func) == "type")
            or (called_name(call.func) == "__init__" and not _is_of_super(call))
            for call in self.calls
        )

    def _by_super(self, init: ast.stmt) -> list[ast.Call] | None:
        """The calls of ``super().__init__`` in *init*; None if it may call it otherwise."""
        found = [node for node in ast.walk(init) if isinstance(node, ast.Call)]
        supers = [call for call in found if called_name(call.func) == "super"]
        calls = [call for call in found if called_name(call.func) == "__init__"]
        return calls if len(supers) == len(calls) else None

    def _by_class_name(self, name: str) -> list[ast.Call] | None:
        """The calls of the class *name*, where it is named nowhere but in these, in annotations, as
        a base, and as the owner of an attribute.
        """
        allowed = {
            id(inner)
            for node in self.nodes
            for part in (
                getattr(node, "annotation", None),
                getattr(node, "returns", None),
                *(node.bases if isinstance(node, ast.ClassDef) else ()),
            )
            if isinstance(part, ast.AST)
            for inner in ast.walk(part)
        }
        allowed |= {id(call.args[0]) for call in self.calls if _asks_for_base(call)}
        allowed |= {id(node.value) for node in self.nodes if isinstance(node, ast.Attribute)}
        others = [
            node
            for node in self.nodes
            if isinstance(node, ast.Name) and node.id == name and id(node) not in self.called
        ]
        if name in self.texts or any(id(node) not in allowed for node in others):
            return None
        inner = [one for node in self.classes if node.name == name for one in ast.walk(node)]
        own = [one for one in inner if isinstance(one, ast.Call)]
        if any(getattr(one, "id", "") == "cls" for call in own for one in call.args):
            return None  # `register(cls)`
        by_cls = [call for call in own if getattr(call.func, "id", "") == "cls"]
        return by_cls + [
            call for call in self.calls if isinstance(call.func, ast.Name) and call.func.id == name
        ]

    def _all_passed(self, calls: list[ast.Call] | None, signature: _Signature) -> list[ast.expr]:
        """The argument that each of *calls* passes; empty if one passes none, or may pass none."""
        in_order = sorted(calls or (), key=lambda call: call.lineno)
        found = [_argument(call, signature) for call in in_order]
        if any(node is None or id(node) in signature.values for node in found):
            return []
        return [node for node in found if node is not None]


def _argument(call: ast.Call, signature: _Signature) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == signature.name:
            return keyword.value
    if signature.name in signature.positional:
        index = signature.positional.index(signature.name)
        if index < len(call.args) and not any(map(is_starred, call.args[: index + 1])):
            return call.args[index]
    return None


def _is_init(node: ast.stmt) -> bool:
    return isinstance(node, FUNCTIONS) and node.name == "__init__"


def _is_of_super(call: ast.Call) -> bool:
    """Whether *call* is ``super().__init__(...)``, which is the base's."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Call) and called_name(owner.func) == "super"


def _asks_for_base(call: ast.Call) -> bool:
    """Whether *call* is ``super(Net, self)``, which calls nothing of the class it names."""
    return called_name(call.func) == "super" and len(call.args) == 2


def _is_plain(function: Function) -> bool:
    """Whether no decorator may call the function in another way."""
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in function.decorator_list]
    return all(called_name(mark) in _PASSING_ON for mark in marks)


def _is_static(function: Function) -> bool:
    return "staticmethod" in [called_name(mark) for mark in function.decorator_list]


_PASSING_ON = {
    "staticmethod", "classmethod", "contextmanager", "asynccontextmanager", "cache", "lru_cache",
    "jit", "njit", "no_grad", "inference_mode", "override", "final",
}  # fmt: skip
"""Decorators that pass on the arguments of a call as they are."""
_MAKERS = {"dataclass", "define", "frozen", "mutable", "attrs", "s", "dataclass_transform"}
_BASES = {"BaseModel", "BaseSettings", "NamedTuple", "Struct", "object"}


def _makes_init(node: ast.ClassDef) -> bool:
    """Whether the class gets an ``__init__`` that is made of its fields."""
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    is_made = any(called_name(mark) in _MAKERS for mark in marks)
    is_made = is_made or any(called_name(base) in _BASES - {"object"} for base in node.bases)
    own = [one.name for one in find_definitions(node)]
    return is_made and "__init__" not in own


def _has_unknown_base(node: ast.ClassDef) -> bool:
    return any(called_name(base) not in _BASES for base in node.bases)

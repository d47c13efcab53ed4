"""``rank``: which of the parameters with a literal value a person would tune. The others are state
(``losses = []``), data (a vocabulary) or form (flags of tensors, colours of plots): they can be
overridden like all others, and are listed with ``--all``. ``preferred``: which of those with one
last name a short target means.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import called_name, dotted_name, last_name, nodes_of

_FILLS = {
    "append", "extend", "insert", "add", "update", "setdefault", "appendleft", "push", "put",
}  # fmt: skip
"""Methods that fill a container."""
_CONTAINERS = {"list", "dict", "set", "deque", "OrderedDict", "Counter"}
_FLAGS = {
    "requires_grad", "retain_graph", "create_graph", "keepdim", "keepdims", "axis", "dim", "copy",
    "inplace", "non_blocking", "ndmin", "dims", "out", "endpoint",
}  # fmt: skip
"""Keywords that say how a call handles its arrays."""
_MAKERS = {
    "tensor", "array", "asarray", "zeros", "ones", "full", "empty", "eye", "arange", "linspace",
    "rand", "randn", "randint", "zeros_like", "ones_like", "as_tensor", "to", "astype", "Variable",
}  # fmt: skip
_MADE_BY = {"dtype", "device", "order"}
"""Keywords of calls that make arrays: they follow from the rest of the program."""
_PLOTTERS = {
    "plt", "pyplot", "pylab", "sns", "ax", "axs", "axes", "fig", "figure", "px", "go",
}  # fmt: skip
_PLOTS = {
    "plot", "scatter", "hist", "imshow", "subplots", "savefig", "legend", "fill_between", "bar",
    "errorbar", "boxplot", "heatmap", "contour", "contourf", "pcolormesh", "annotate", "colorbar",
    "plot_surface", "add_subplot", "subplot", "tight_layout", "FuncAnimation",
}  # fmt: skip
_WRITERS = {
    "record", "log", "log_metric", "log_metrics", "add_scalar", "savetxt", "set_printoptions",
    "sort", "sorted", "split", "rsplit", "enumerate",
}  # fmt: skip
"""Calls that report, order or cut: ``logbook.record(gen=0)``, ``sorted(rows, reverse=True)``."""
_WORDS = re.compile(
    r"vocab|words?\b|token|label|class|char|letter|alphabet|corpus|sentence|idx|index|map|2|to|"
    r"stop|names?\b|ids?\b",
    re.IGNORECASE,
)
"""Names of what maps words to numbers."""
_MOST_LEVELS = 4
"""A mapping of more words to 0, 1, 2 ... is a vocabulary, whatever its name."""


def rank(tree: ast.Module, parameters: Sequence[Parameter]) -> list[Parameter]:
    """*parameters*, of which those that nobody would tune are no settings any more."""
    below = _Below(tree, parameters)
    return [replace(one, is_setting=False) if below.has(one) else one for one in parameters]


def preferred(fitting: list[Parameter]) -> list[Parameter]:
    """Those of *fitting* that a short target means: of the lowest tier, without defaults of
    functions if there is an option, which is passed to them, without those that a call hides
    (``epochs`` is that of ``model.fit(epochs=5)``, not of ``def fit(self, epochs=1)``), and without
    those that are only handed on (``SGD(lr=args.lr)``).
    """
    fitting = [one for one in fitting if not _is_handed_on(one)] or fitting
    keywords = [one for one in fitting if one.kind == "keyword"]
    passed = {_call_text(one) for one in keywords if one.tier == 1 or one.is_setting}
    fitting = [
        one
        for one in fitting
        if one.kind != "default" or one.is_setting or _call_text(one) not in passed
    ]
    lowest = min((one.tier for one in fitting), default=0)
    fitting = [one for one in fitting if one.tier == lowest]
    options = [one for one in fitting if one.kind == "option"]
    others = [one for one in fitting if one.kind not in ("option", "default")]
    return [*options, *others] if options else fitting


def _is_handed_on(one: Parameter) -> bool:
    """Whether it gets what already has its name: ``lr=args.lr``, ``self.lr = lr``."""
    if one.kind not in ("entry", "keyword", "stored") or not one.values:
        return False
    return all(
        isinstance(value, (ast.Name, ast.Attribute)) and called_name(value) == last_name(one.target)
        for value in one.values
    )


def _call_text(parameter: Parameter) -> str:
    """``fit(epochs)`` for ``model.fit(epochs)``."""
    return parameter.target.rpartition(".")[2]


class _Below:
    """The parameters of one script that nobody would tune."""

    def __init__(self, tree: ast.Module, parameters: Sequence[Parameter]) -> None:
        self.filled, self.counted = _filled_names(tree)
        self.calls = dict(_keyword_calls(tree))
        self.options = {last_name(one.target) for one in parameters if one.kind == "option"}
        self.data: set[str] = set()

    def has(self, one: Parameter) -> bool:
        """Whether it is state, data or form; containers come before their entries."""
        name, value = last_name(one.target), one.values[0] if one.values else None
        if one.kind == "default" and name in self.options:
            return True  # the option is passed to the function
        if value is None or one.kind == "loop":
            return False
        if _is_data(value, name) or any(each in self.data for each in parents(one.target)):
            self.data.add(one.target)
            return True
        # The ``default`` of an option --out, or of a field ``dim``, is no flag of an array.
        keyword, call = self.calls.get(id(value), ("", None))
        is_form = keyword == name and call is not None and _is_form(name, call)
        return is_form or self._is_state(one, value)

    def _is_state(self, one: Parameter, value: ast.expr) -> bool:
        if one.kind == "default":
            return False  # each call starts with it
        is_counter = _is_zero(value) and last_name(one.target) in self.counted
        return is_counter or (_is_empty(value) and bool(_names(one.target) & self.filled))


def parents(target: str) -> Iterator[str]:
    """``cfg.opt`` and ``cfg`` for ``cfg.opt.name``."""
    for position, character in enumerate(target):
        if character in ".[" and position:
            yield target[:position]


def _names(target: str) -> set[str]:
    """The names in *target*: those of the container and of the entry."""
    return set(re.findall(r"[^\W\d]\w*", target))


# --- state ---------------------------------------------------------------------------------------


def _filled_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The names of what the script fills (``losses.append(1)``, ``seen[word] = 1``), and of what it
    counts up (``total += 1``).
    """
    filled: set[str] = set()
    counted: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _FILLS:
                filled |= _names_in(node.func.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and not _is_key(target.slice):
                    filled |= _names_in(target)
        elif isinstance(node, ast.AugAssign):
            filled |= _names_in(node.target)
            counted |= _names_in(node.target)
    return filled, counted


def _is_key(node: ast.expr) -> bool:
    """Whether ``cfg["lr"] = ...`` stores a setting and no result."""
    return isinstance(node, ast.Constant)


def _names_in(node: ast.AST) -> set[str]:
    """The names of ``self.history["loss"]``: history and loss."""
    found = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            found.add(inner.value)
    return found - {"self"}


def _is_empty(node: ast.expr) -> bool:
    """Whether *node* is ``[]``, ``{}``, ``set()``, or holds nothing but such and zeros."""
    inside: list[ast.expr] = []
    if isinstance(node, ast.Dict):
        inside = node.values
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        inside = node.elts
    elif isinstance(node, ast.Call) and not node.args and called_name(node.func) in _CONTAINERS:
        inside = [one.value for one in node.keywords]
    else:
        return False
    return all(_is_empty(one) or _is_zero(one) for one in inside)


def _is_zero(node: ast.expr) -> bool:
    is_number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return is_number and not node.value  # type: ignore[attr-defined]


# --- data ----------------------------------------------------------------------------------------


def _is_data(node: ast.expr, name: str) -> bool:
    """Whether *node* is a vocabulary, its inverse, or a list of sentences."""
    if isinstance(node, ast.Dict):
        keys, values = _constants(node.keys), _constants(node.values)
        words, numbers = (keys, values) if keys and isinstance(keys[0], str) else (values, keys)
        least = 2 if _WORDS.search(name) or numbers is keys else _MOST_LEVELS + 1
        are_texts = all(isinstance(one, str) for one in words)
        return len(keys) >= least and are_texts and _count_up(numbers)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        texts = _constants(node.elts)
        return bool(texts) and all(isinstance(one, str) and one.count(" ") > 1 for one in texts)
    return False


def _constants(nodes: Sequence[ast.expr | None]) -> list[object]:
    return [one.value if isinstance(one, ast.Constant) else None for one in nodes]


def _count_up(values: Sequence[object]) -> bool:
    """Whether *values* are 0, 1, 2 ... or 1, 2, 3 ..."""
    numbers = [one for one in values if type(one) is int]
    if len(numbers) < len(values) or min(numbers, default=2) not in (0, 1):
        return False
    return sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers)))


# --- form ----------------------------------------------------------------------------------------


def _keyword_calls(tree: ast.Module) -> Iterator[tuple[int, tuple[str | None, ast.Call]]]:
    """The id of the value of each keyword -> its name, and the call that gets it."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                yield id(keyword.value), (keyword.arg, node)


def _is_form(name: str, call: ast.Call) -> bool:
    """Whether the keyword *name* of *call* is a flag of an array, or part of a drawing or
    report.
    """
    if name in _FLAGS or (name in _MADE_BY and called_name(call.func) in _MAKERS):
        return True
    owners = dotted_name(_root(call.func)).split(".")
    called = called_name(call.func)
    if called in _WRITERS or called == "draw" or called.startswith("draw_"):
        return True
    return called in _PLOTS or not _PLOTTERS.isdisjoint(owners[:-1] or owners)


def _root(node: ast.expr) -> ast.expr:
    """``axes.plot`` of ``axes[0].plot``: without subscripts and calls."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            break
    found = node
    for attribute in reversed(parts):
        found = ast.Attribute(found, attribute, ast.Load())
    return found

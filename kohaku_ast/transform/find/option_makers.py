"""``make_options``: the options that libraries make of a script's declarations, functions and
classes.

Typer makes ``--learning-rate`` of a parameter, HfArgumentParser ``--learning_rate`` of a field: the
table LIBRARIES has one row for each library. The input is the facts of files (see
``option_facts``); a warm run has them in the cache and needs no syntax tree.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from kohaku_ast.transform.find.option_declarations import OptionFields, Width
    from kohaku_ast.transform.find.option_facts import Facts

    Place = tuple[str, str]
    """A function or class: the module it is in (``""``: the script) and its name there."""


DEEPEST = 8
"""Levels of classes inside each other: deeper ones contain themselves."""


class Library:
    """How one library makes options of parameters and fields."""

    __slots__ = (
        "boolean", "dashes", "fixed", "is_abbreviated", "keyword_only", "letters", "many",
        "negative", "nested", "required", "required_boolean", "single", "unknown", "whole",
    )  # fmt: skip

    def __init__(
        self,
        dashes: str,
        boolean: Width = 0,
        negative: tuple[str, ...] = (),
        many: Width = "*",
        nested: str = "",
        fixed: str = "-h/--help",
        *,
        required: bool = True,
        required_boolean: Width = 0,
        keyword_only: bool = False,
        unknown: Width = 1,
        letters: bool = False,
        single: bool = False,
        whole: bool = False,
        is_abbreviated: bool = False,
    ) -> None:
        #: The spelling of ``learning_rate``: ``"-"``, ``"_"`` or, if both are accepted, ``"-_"``.
        self.dashes = dashes
        self.boolean = boolean
        #: The prefix that switches a boolean off: ``"no_"`` for ``--no-shout``; ``"True:no_"`` if
        #: only a default of True has it.
        self.negative = negative
        #: The width of a list.
        self.many = many
        #: Fields of an inner class: ``"."`` for ``--opt.lr``, ``"="`` for ``--lr``.
        self.nested = nested
        #: The options that the library defines itself: ``"-h/--help --config:1"``.
        self.fixed = fixed
        #: Whether a parameter without a default is an option too, and not a positional.
        self.required = required
        self.required_boolean = required_boolean
        #: Whether only the parameters after ``*`` are options.
        self.keyword_only = keyword_only
        #: The width where the type is unknown.
        self.unknown = unknown
        #: Whether ``-l`` means ``--lr`` if no other parameter begins with that letter.
        self.letters = letters
        #: Whether ``-lr`` means ``--lr``.
        self.single = single
        #: Whether an inner class is an option too: ``--opt opt.yaml``.
        self.whole = whole
        self.is_abbreviated = is_abbreviated


LIBRARIES = {
    "typer": Library(
        "-", 0, ("no_",), 1, required=False, fixed="--help --install-completion --show-completion"
    ),
    "fire": Library("-_", None, ("no",), None, unknown=None, single=True, letters=True),
    "tyro": Library("-_", 0, ("no_",), "*", ".", required_boolean=1, unknown=None),
    "simple_parsing": Library("_", "?", ("no",), "*", ".=", is_abbreviated=True),
    "transformers": Library("-_", "?", ("True:no_",), "*", is_abbreviated=True),
    "tap": Library("_", 0, (), "*", is_abbreviated=True),
    "datargs": Library("-", 0, (), "*", is_abbreviated=True),
    "jsonargparse": Library(
        "_", 1, (), 1, ".", "-h/--help --config:1 --print_config", required=False, whole=True,
        required_boolean=1, is_abbreviated=True,
    ),
    "pyrallis": Library("_", None, (), None, ".", "-h/--help --config_path:1", whole=True),
    "draccus": Library("_", None, (), None, ".", "-h/--help --config_path:1", whole=True),
    "cyclopts": Library("-_", 0, ("no_",), 1, ".", "-h/--help --version"),
    "defopt": Library(
        "-", 0, ("no_",), "*", required=False, letters=True, is_abbreviated=True
    ),
    "plac": Library("-", None, (), None, required=False, letters=True, is_abbreviated=True),
    "clize": Library("-", 0, (), 1, keyword_only=True),
    "pydantic_settings": Library("_", None, (), None, ".", whole=True),
}  # fmt: skip
"""By the name that a script imports."""

COMMAND_LIBRARIES = ("typer", "cyclopts", "tyro")
"""The libraries whose commands are functions with ``@app.command``."""


def make_options(files: dict[str, Facts]) -> list[OptionFields]:
    """Every option of a script and its modules; *files* has the script under ``""``."""
    declared = [one for module, facts in files.items() for one in _declared(module, facts)]
    libraries = sorted({name for facts in files.values() for name in facts["libraries"]})
    for name in libraries:
        if name in LIBRARIES:
            declared += _of_library(name, _Modules(files))
    known = {name for one in declared for name in one[0]}
    quoted = [tuple(names) for facts in files.values() for names in facts["quoted"]]
    return declared + [(one, None, (), False, False) for one in quoted if not known & {*one}]


def _declared(module: str, facts: Facts) -> Iterator[OptionFields]:
    for names, width, targets, is_abbreviated, has_paths in facts["declared"]:
        yield names, width, _inside(module, targets), is_abbreviated, has_paths


def _inside(module: str, targets: Iterable[str]) -> tuple[str, ...]:
    """*targets* as the script names those of *module*."""
    return tuple(f"{module}.{one}" if module else one for one in targets)


class _Modules:
    """The functions and classes of a script and its modules."""

    def __init__(self, files: dict[str, Facts]) -> None:
        self.files = files

    def functions(self) -> list[Place]:
        return [
            (module, name)
            for module, facts in self.files.items()
            for name in facts["functions"]
            if "." not in name
        ]

    def classes(self, *, data_only: bool) -> list[Place]:
        return [
            (module, name)
            for module, facts in self.files.items()
            for name, (_, is_data, _) in facts["classes"].items()
            if is_data or not data_only
        ]

    def find(self, module: str, name: str, depth: int = 0) -> Place | None:
        """The function or class that *name* in *module* stands for, found through imports."""
        facts = self.files.get(module)
        if facts is None or depth > DEEPEST:
            return None
        if name in facts["functions"] or name in facts["classes"]:
            return module, name
        first, dot, rest = name.partition(".")
        whole = facts["names"].get(first, "") + dot + rest
        for end in [index for index, letter in enumerate(whole) if letter == "."][::-1]:
            found = self.find(whole[:end], whole[end + 1 :], depth + 1)
            if found:
                return found
        for star in facts["stars"]:
            found = self.find(star, name, depth + 1)
            if found:
                return found
        return None

    def find_all(self, module: str, names: Iterable[str]) -> list[Place]:
        found = (self.find(module, name) for name in names)
        return [one for one in found if one is not None]

    def parameters(self, place: Place) -> list[Any]:
        module, name = place
        found: list[Any] = self.files[module]["functions"].get(name, [])
        return found

    def fields(self, place: Place, depth: int = 0) -> list[tuple[str, Any]]:
        """The fields of a class, each with its module; inherited ones first."""
        module, name = place
        if name not in self.files[module]["classes"] or depth > DEEPEST:
            return []
        bases, _, own = self.files[module]["classes"][name]
        inherited = [
            field
            for base in self.find_all(module, bases)
            if base != place
            for field in self.fields(base, depth + 1)
        ]
        names = {field[0] for field in own}
        return [one for one in inherited if one[1][0] not in names] + [
            (module, field) for field in own
        ]


def _of_library(name: str, modules: _Modules) -> Iterator[OptionFields]:
    """The options of the library *name*: its own, and those of the functions and classes that it
    gets.
    """
    library = LIBRARIES[name]
    yield from _fixed(library)
    seen: set[Place] = set()
    for place in _sources(name, modules):
        if place not in seen:
            seen.add(place)
            yield from _of_place(library, modules, place)


def _fixed(library: Library) -> Iterator[OptionFields]:
    for text in library.fixed.split():
        spelled, _, width = text.partition(":")
        yield tuple(spelled.split("/")), int(width or 0), (), library.is_abbreviated, False


def _sources(name: str, modules: _Modules) -> list[Place]:
    """The functions and classes from which the library *name* makes options."""
    found: list[Place] = []
    is_called = False
    for module, facts in modules.files.items():
        for library, names in facts["given"]:
            if library == name:
                is_called = True
                found += modules.find_all(module, names)
        if name in COMMAND_LIBRARIES:
            found += [(module, function) for function in facts["commands"]]
        if name in facts["subclassed"]:
            found += [(module, one) for one in facts["subclassed"][name]]
    if found or not is_called:
        return found
    if name == "fire":
        return [one for one in modules.functions() + modules.classes(data_only=False) if not one[0]]
    return modules.classes(data_only=True)


def _of_place(library: Library, modules: _Modules, place: Place) -> Iterator[OptionFields]:
    module, name = place
    fields = modules.fields(place)
    if name in modules.files[module]["functions"]:
        yield from _of_function(library, modules, place)
    elif fields:
        for where, field in fields:
            yield from _of_parameter(library, modules, where, field, "", 0)
    else:
        yield from _of_function(library, modules, (module, f"{name}.__init__"))
    if library.single or library.whole:  # fire and jsonargparse: the methods are commands
        for method in modules.files[module]["functions"]:
            owner, _, last = method.rpartition(".")
            if owner == name and not last.startswith("_"):
                yield from _of_function(library, modules, (module, method))


def _of_function(library: Library, modules: _Modules, place: Place) -> Iterator[OptionFields]:
    parameters = modules.parameters(place)
    for one in parameters:
        yield from _of_parameter(library, modules, place[0], one, "", 0)
    first = [one[0][0] for one in parameters] if library.letters else []
    for one in parameters if library.letters else []:
        name, shape, has_default = one[:3]
        if first.count(name[0]) == 1 and (library.required or has_default):
            words = _words(library, shape[0], shape[1], has_default)
            names = (f"-{name[0]}", f"--{name[0]}") if library.single else (f"-{name[0]}",)
            yield names, words, _inside(place[0], [one[5]]), False, False


def _of_parameter(
    library: Library, modules: _Modules, module: str, parameter: Any, path: str, depth: int
) -> Iterator[OptionFields]:
    """The options that *library* makes of one parameter or field, below *path*."""
    name, (shape, count, classes), has_default, kind, (role, given, width), target = parameter
    if role == "argument" or kind == "positional" or (library.keyword_only and kind != "keyword"):
        return
    if not (library.required or has_default or role == "option" or kind == "keyword"):
        return
    targets = _inside(module, [target])
    inner = modules.find_all(module, classes) if library.nested else []
    inner = [one for one in inner if modules.fields(one)]
    if inner and shape == "class" and depth < DEEPEST:
        for one in inner:
            yield from _of_fields(library, modules, one, f"{path}{name}.", targets, depth + 1)
        if library.whole:
            yield tuple(_spelled(library, path + name)), 1, targets, library.is_abbreviated, True
        return
    names = tuple(_spelled(library, path + name))
    if given and role == "option":
        names = given
    elif given:
        names = (*names, *given)
    words = _words(library, shape, count, has_default) if width == -1 else width
    has_paths = library.whole and shape in ("class", "dict", "unknown")
    is_pair = role == "option" and any("/" in one for one in given)
    if is_pair:
        yield from _pairs(given, targets)
        return
    yield names, words, targets, library.is_abbreviated, has_paths
    # Fire does not look at the type: --nolr is False too.
    if (shape == "bool" and not (given and role == "option")) or library.single:
        off = tuple(_negative(library, path, name, has_default))
        if off and (has_default or library.required_boolean == 0):
            yield off, 0, targets, library.is_abbreviated, False


def _of_fields(
    library: Library,
    modules: _Modules,
    place: Place,
    path: str,
    outer: tuple[str, ...],
    depth: int,
) -> Iterator[OptionFields]:
    """The options of an inner class: an override of *outer* reaches its fields too."""
    for where, field in modules.fields(place):
        for prefix in [path if kind == "." else "" for kind in library.nested]:
            for made in _of_parameter(library, modules, where, field, prefix, depth):
                names, width, targets, is_abbreviated, has_paths = made
                through = tuple(f"{one}.{field[0]}" for one in outer)
                yield names, width, (*targets, *through), is_abbreviated, has_paths


def _spelled(library: Library, name: str) -> Iterator[str]:
    spellings = [name.replace("_", "-") if style == "-" else name for style in library.dashes]
    for spelling in dict.fromkeys(spellings):
        yield f"--{spelling}"
        if library.single:
            yield f"-{spelling}"


def _negative(library: Library, path: str, name: str, default: object) -> Iterator[str]:
    for prefix in library.negative:
        condition, _, prefix = prefix.rpartition(":")
        if not condition or default == condition:
            plain = f"{path}{prefix}{name}"
            yield from _spelled(library, plain)


def _pairs(given: Iterable[str], targets: tuple[str, ...]) -> Iterator[OptionFields]:
    """Both options of ``--shout/--quiet``."""
    for one in given:
        for spelled in one.split("/"):
            if spelled.strip():
                yield (spelled.strip(),), 0, targets, False, False


def _words(library: Library, shape: str, count: int, has_default: object) -> Width:
    if shape == "bool":
        return library.boolean if has_default else library.required_boolean
    if library.unknown is None and library.boolean is None:
        return None
    if shape == "many":
        return library.many
    if shape == "tuple":
        return count if library.many in (1, "*") and not library.whole else library.many
    if shape == "dict":
        return library.many
    return library.unknown if shape == "unknown" else 1

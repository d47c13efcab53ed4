"""Fields of dataclasses, attrs and pydantic: what a field takes in the place of its default, and
the settings of an object that a field, or a call of such a class, makes (``Cfg.opt.lr``).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from kohaku_ast.transform.find.assignments import MADE, MADE_BY_FACTORY, MARKER, Site
from kohaku_ast.transform.find.bindings import Definition, find_definitions
from kohaku_ast.transform.find.calls import field_default, is_field
from kohaku_ast.transform.find.paths import Step, called_name, descend, dotted_name, path_of

Classes = Mapping[str, ast.ClassDef]
"""The classes of the script by the name it uses at module level (``Opt``, ``Cfg.Opt``)."""

_OF_ATTRS = {"define", "frozen", "mutable", "attrs", "s", "attributes", "dataclass"}


def of_field(kind: str) -> str:
    """The template of what a field of that *kind*, one of ``FIELD_KINDS``, takes for a value."""
    return f"{MARKER}.{kind}[{{}}]"


_BASES_WITH_FIELDS = ("flax.linen.Module", "flax.struct.PyTreeNode")


def style_of(node: ast.ClassDef, imports: Mapping[str, str]) -> str:
    """Which library makes fields of the annotated names of the class: ``dataclass``, ``attrs``, or
    ``""``: no library does, or one that takes a list as a default (pydantic). *imports* are the
    names that the script has imported.
    """
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = full_name(call, imports)
        package, _, last = name.rpartition(".")
        if package.partition(".")[0] in ("attr", "attrs") and last in _OF_ATTRS:
            return "attrs"
        if last.endswith("dataclass"):  # also chex.dataclass, flax.struct.dataclass
            return "dataclass"
    names = [full_name(base, imports) for base in node.bases]
    return "dataclass" if any(name in _BASES_WITH_FIELDS for name in names) else ""


def full_name(node: ast.expr, imports: Mapping[str, str]) -> str:
    """The dotted name of *node*, from the module that it is imported from."""
    first, dot, rest = dotted_name(node).partition(".")
    return imports.get(first, first) + dot + rest


def keys_in(node: ast.ClassDef) -> set[str]:
    """The names of the body that take no value: the keys of a TypedDict, the ``_: KW_ONLY`` of a
    dataclass, a field of attrs whose default a method makes (``@n.default``).
    """
    is_typed_dict = any(called_name(base) == "TypedDict" for base in node.bases)
    declared = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    marks = [path_of(mark) for one in node.body for mark in getattr(one, "decorator_list", ())]
    return {str(path[0]) for path in marks if path[1:] == ("default",)} | {
        one.target.id
        for one in declared
        if isinstance(one.target, ast.Name)
        and (is_typed_dict or called_name(one.annotation) == "KW_ONLY")
    }


def default_sites(one: Definition, style: str, imports: Mapping[str, str]) -> list[Site] | None:
    """The places of the default of the field *one* of a class of that *style*, which may be a list;
    None if it takes any value as it is.
    """
    value = one.value
    if not style or _is_class_variable(one.annotation):
        return None
    if isinstance(value, ast.Call) and is_field(value):
        return _sites_in_call(value, style, one.line, imports)
    if one.form == "declared":
        return [Site(one.node, "annotated", of_field(style), one.line)]
    if value is None or not one.annotation:
        return None
    return [Site(value, "replace", of_field(style), one.line)]


def _sites_in_call(
    call: ast.Call, style: str, line: int, imports: Mapping[str, str]
) -> list[Site] | None:
    """``field(default=3)``: of attrs, it takes a factory in the place of 3; of dataclasses, another
    keyword has the factory.
    """
    found = field_default(call)
    if found is not None and found[1]:
        return None  # a factory: what it returns is replaced
    place = Site(call, "keyword", "{}", line, "default")
    if found is not None:
        place = Site(found[0], "replace", "{}", line)
    if style == "attrs":
        return [Site(place.node, place.change, of_field("attrs"), line, place.name)]
    if full_name(call.func, imports).rpartition(".")[2] != "field":
        return None  # pydantic's Field
    return [
        Site(place.node, place.change, of_field("default"), line, place.name),
        Site(call, "keyword", of_field("factory"), line, "default_factory"),
    ]


def _is_class_variable(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value.lstrip().startswith(("ClassVar", "typing.ClassVar", "InitVar"))
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return dotted_name(outer).rpartition(".")[2] in ("ClassVar", "InitVar")


@dataclass(frozen=True)
class Setting:
    """A setting of an object that the text makes."""

    sites: tuple[Site, ...]
    #: The expression of its default; None if only the running script knows it.
    default: ast.expr | None = None
    annotation: ast.expr | None = None
    #: The steps that are followed when the object is made; empty if the text shows the setting.
    path: tuple[Step, ...] = ()


def setting_of_field(value: ast.expr, path: tuple[Step, ...], classes: Classes) -> Setting | None:
    """The setting at *path* below the object that the field with the default *value* makes; None if
    it makes none.
    """
    inner, is_factory = default_of(value)
    if inner is None:
        return None
    if inner is value:
        return setting_of_call(inner, path, classes)
    if is_factory and not isinstance(inner, ast.Lambda):
        return _setting_of_factory(inner, path, classes)
    if isinstance(inner, ast.Lambda):
        inner = inner.body
    return setting_of_call(inner, path, classes) or _at_run_time(inner, MADE, path)


def default_of(value: ast.expr | None) -> tuple[ast.expr | None, bool]:
    """The default of a field, 3 of ``field(default=3)``, and whether it is a factory; None if it
    has none.
    """
    if not isinstance(value, ast.Call):
        return value, False
    if called_name(value.func) == "Factory" and len(value.args) == 1 and not value.keywords:
        return value.args[0], True  # of attrs
    if not is_field(value):
        return value, False
    found, is_factory = field_default(value) or (None, False)
    if isinstance(found, ast.Constant) and found.value is Ellipsis:
        return None, False  # pydantic's mark of a field that has to be given
    return (found, True) if is_factory else default_of(found)


def _setting_of_factory(factory: ast.expr, path: tuple[Step, ...], classes: Classes) -> Setting:
    """``default_factory=Opt``."""
    name = dotted_name(factory)
    field = _field_of(name, path, classes)
    # A name of an enclosing class is not visible in a lambda.
    if field is not None and name == called_name(factory) and "." not in name:
        line = factory.lineno
        sites = (Site(factory, "wrap", "{}", line, str(path[0])),)
        return Setting(sites, default_of(field.value)[0], field.annotation)
    inner = descend(factory, path)  # functools.partial(Opt, lr=0.1)
    if inner:
        return _in_text(inner)
    return _at_run_time(factory, MADE_BY_FACTORY, path)


def _at_run_time(node: ast.expr, template: str, path: tuple[Step, ...]) -> Setting:
    return Setting((Site(node, "wrap", template, node.lineno),), path=path)


def _in_text(values: list[ast.expr]) -> Setting:
    sites = tuple(Site(one, "replace", "{}", one.lineno) for one in values)
    return Setting(sites, values[0])


def setting_of_call(value: ast.expr, path: tuple[Step, ...], classes: Classes) -> Setting | None:
    """The setting at *path* in what *value* makes, if the text shows it: an entry, or a keyword
    that the call of a class with fields can take. Else None.
    """
    inner = descend(value, path)
    if inner:
        return _in_text(inner)
    owners = descend(value, path[:-1])
    if len(owners) != 1 or not isinstance(owners[0], ast.Call):
        return None
    call = owners[0]
    field = _field_of(dotted_name(call.func), path[-1:], classes)
    if field is None or call.args or any(one.arg is None for one in call.keywords):
        return None
    site = Site(call, "keyword", "{}", call.lineno, str(path[-1]))
    return Setting((site,), default_of(field.value)[0], field.annotation)


def _field_of(name: str, path: tuple[Step, ...], classes: Classes) -> Definition | None:
    """The field that the class *name* of the script takes as a keyword, if *path* names one."""
    if len(path) != 1 or name not in classes:
        return None
    return _own_field(classes[name], path[0], classes, 20)


def _own_field(node: ast.ClassDef, name: Step, classes: Classes, depth: int) -> Definition | None:
    found = {one.name: one for one in find_definitions(node)}
    if any(one in found for one in ("__init__", "__new__")):
        return None
    field = found.get(str(name))
    if field is not None:
        is_made = _makes_init(node) or _is_model(node, classes, depth)
        return field if is_made and _is_keyword(field) else None
    for base in map(dotted_name, node.bases):
        # The depth ends the loop of a class that is its own base: `class A(A)`.
        if base in classes and depth:
            return _own_field(classes[base], name, classes, depth - 1)
    return None


def _is_keyword(field: Definition) -> bool:
    """Whether *field* is a parameter of an ``__init__`` that is made from the fields."""
    value, is_field_call = field.value, False
    if isinstance(value, ast.Call) and is_field(value):
        is_field_call = True
        keywords = {one.arg: one.value for one in value.keywords}
        init = keywords.get("init")
        is_left_out = isinstance(init, ast.Constant) and init.value is False
        if is_left_out or any(str(one).endswith("alias") for one in keywords):
            return False
    if field.name.startswith("_") or _is_class_variable(field.annotation):
        return False  # attrs and pydantic have names of their own for private ones
    return is_field_call or field.annotation is not None


def _makes_init(node: ast.ClassDef) -> bool:
    """Whether a decorator makes parameters of the fields."""
    marks = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    names = map(called_name, marks)
    return any(name.endswith("dataclass") or name in _OF_ATTRS for name in names)


def _is_model(node: ast.ClassDef, classes: Classes, depth: int) -> bool:
    """Whether a base class makes parameters of the fields of each subclass."""
    for base in map(dotted_name, node.bases):
        if base.rpartition(".")[2] in ("BaseModel", "BaseSettings", "NamedTuple", "Struct"):
            return True
        if base in classes and depth and _is_model(classes[base], classes, depth - 1):
            return True
    return False

"""OmegaConf's ``${...}`` as Python expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kohaku_ast.transform.value_text import LiteralError, literal

_RESOLVER = re.compile(r"([A-Za-z_][\w.]*)\s*:(.*)", re.S)
_ENVIRONMENT = ("oc.env", "env")

NameOf = Callable[[tuple[str, ...], tuple[str, ...]], str]
"""A path from the root, and that of the value that reads it -> the expression that stands for the
first one's value; raises NotPlainError.
"""


class NotPlainError(ValueError):
    """Something that only the other tool can work out; the text says what."""


@dataclass(frozen=True)
class Reference:
    """One ``${...}``: what stands between its brackets."""

    inner: str


def split_text(text: str) -> Iterator[str | Reference]:
    """The parts of *text*, plain ones and references; raises NotPlainError for an open bracket."""
    place = 0
    while (start := text.find("${", place)) >= 0:
        if text[:start].endswith("\\"):
            yield text[place : start - 1] + "${"
            place = start + 2
            continue
        if start > place:
            yield text[place:start]
        end = _closing(text, start + 2)
        yield Reference(text[start + 2 : end].strip())
        place = end + 1
    if place < len(text):
        yield text[place:]


def _closing(text: str, place: int) -> int:
    depth = 1
    for index in range(place, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return index
    raise NotPlainError(f"{text!r} has a bracket without its end")


def value_text(value: object, here: tuple[str, ...], name_of: NameOf) -> str:
    """*value*, which stands at the path *here*, as Python source; raises NotPlainError."""
    if isinstance(value, str) and "${" in value:
        return _interpolated(list(split_text(value)), here, name_of)
    if isinstance(value, list):
        return f"[{', '.join(value_text(one, here, name_of) for one in value)}]"
    if isinstance(value, dict):
        pairs = [f"{literal(k)}: {value_text(one, here, name_of)}" for k, one in value.items()]
        return f"{{{', '.join(pairs)}}}"
    try:
        return in_quotes(value)
    except LiteralError as error:
        raise NotPlainError(f"a {error} has no literal") from None


def in_quotes(value: object) -> str:
    """``repr``, with the quotes that are usual where that changes nothing else."""
    text = literal(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in text and "\\'" not in text:
        return f'"{text[1:-1]}"'
    return text


def _interpolated(parts: list[str | Reference], here: tuple[str, ...], name_of: NameOf) -> str:
    if all(isinstance(part, str) for part in parts):
        return in_quotes("".join(map(str, parts)))
    texts = [
        part if isinstance(part, str) else _expression(part.inner, here, name_of) for part in parts
    ]
    if len(parts) == 1:
        return texts[0]
    inner = [text for part, text in zip(parts, texts) if isinstance(part, Reference)]
    if any(set(text) & set("'\"\\{}") for text in inner):  # no f-string may hold it before 3.12
        plain = ["{}" if isinstance(part, Reference) else _braced(part) for part in parts]
        return f"{in_quotes(''.join(plain))}.format({', '.join(inner)})"
    plain = [
        f"{{{text}}}" if isinstance(part, Reference) else _braced(part)
        for part, text in zip(parts, texts)
    ]
    return "f" + in_quotes("".join(plain))


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _expression(inner: str, here: tuple[str, ...], name_of: NameOf) -> str:
    resolver = _RESOLVER.fullmatch(inner)
    if resolver:
        return _resolved(resolver[1], resolver[2].strip(), inner)
    if "${" in inner:
        raise NotPlainError(f"${{{inner}}}: only the running program knows its name")
    return name_of(absolute(inner, here), here)


def _resolved(name: str, argument: str, inner: str) -> str:
    if name not in _ENVIRONMENT or "${" in argument:
        raise NotPlainError(f"${{{inner}}}: the resolver {name!r} has no counterpart")
    variable, comma, default = argument.partition(",")
    if not comma:
        return f"os.environ[{in_quotes(variable.strip())}]"
    default = default.strip()
    is_null = default in ("null", "None")
    text = "None" if is_null else in_quotes(default.strip("'\""))
    return f"os.environ.get({in_quotes(variable.strip())}, {text})"


def absolute(text: str, here: tuple[str, ...]) -> tuple[str, ...]:
    """``..dim`` at ``("model", "head", "size")`` -> ``("model", "dim")``."""
    rest = text.lstrip(".")
    dots = len(text) - len(rest)
    steps = tuple(step for step in re.split(r"[.\[\]]", rest) if step)
    return (*here[: len(here) - dots], *steps) if dots else steps

"""Metrics: the numbers that a line which a script has printed gives to names.

The whole line has to be made of them; ``docs/reference/flow-output.md`` lists what is read.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import TypeAlias

Number: TypeAlias = int | float
"""What a metric is: whole if it is written so."""

_LONGEST = 400
_NUMBER = r"([-+]?(?:(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,4})?|inf|nan|Infinity|NaN))"
_WORD = r"[^\W\d][\w./@-]{0,60}"
_NAME = rf"({_WORD}(?:[ ]{_WORD}){{0,2}})"
_PAIR = re.compile(rf"{_NAME}(?:[ \t]*=[ \t]*|[ \t]*:[ \t]+){_NUMBER}(?:[ ]?%)?(?=[\s,;|)]|\Z)")
_COUNTER = re.compile(
    r"((?i:epoch|step|iter|iteration|batch|round|episode|trial|fold))"
    r"[ #:]{1,2}(\d{1,12})(?:[ ]?(?:/|of)[ ]?\d{1,12})?(?=[\s,;|:)\]]|\Z)[:]?"
)
_BESIDE = re.compile(
    r"[\s,;|()\u2013\u2022\u00b7]+"
    r"|-(?=\s)"
    r"|\[\d{1,12}/\d{1,12}[ ]\(\d{1,3}%\)\]"  # [640/60000 (1%)]
    r"|\[?\d{1,12}[ ]?/[ ]?\d{1,12}\]?(?=[\s,;|:]|\Z):?"  # [12/100]
    r"|\d{1,3}%(?=[\s,;|:]|\Z):?"
    r"|(?:ETA:[ ])?\d{1,6}(?:\.\d{1,6})?(?:us|µs|ms|s|m|h)(?:/\w{1,10})?(?=[\s,;|]|\Z)"  # 3ms/step
    r"|\[[=#>. -]{2,300}\]|[━╸╺]{2,300}"
)
_ENTRY = re.compile(rf"\s*(['\"])([^'\"{{}}]{{1,120}})\1\s*:\s*{_NUMBER}\s*(,|\}}\Z)")
_TQDM = re.compile(
    r"\d{1,3}%\|.{0,300}\| *\d{1,12}/\d{1,12} \[[^\]]{0,60}?(?:it|s|B)(?:/\w+)?, (.*)\]\Z"
)
# The last line of a traceback: `KeyError: 3`, `json.decoder.JSONDecodeError: 3`.
_ERRORS = frozenset(
    name
    for name, one in vars(builtins).items()
    if isinstance(one, type) and issubclass(one, BaseException)
)
_OTHER_ERROR = re.compile(r"(?:\w+\.)+\w+(?:Error|Exception)")


def read_metrics(line: str) -> dict[str, Number]:
    """Name -> number, in the order of *line*; empty if it is about anything else."""
    if len(line) > _LONGEST or not ("=" in line or ":" in line):
        return {}
    line = line.strip()
    if line.startswith("{"):
        return _pairs(_entries(line))
    if "%|" in line:
        bar = _TQDM.search(line)
        return _pairs(_parts(bar[1])) if bar else {}
    return _pairs(_parts(line))


class _OtherTextError(Exception):
    """The line is not made of metrics."""


def _pairs(found: Iterator[tuple[str, str]]) -> dict[str, Number]:
    try:
        return {name: _number(text) for name, text in found}
    except _OtherTextError:
        return {}


def _parts(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``epoch 3/10 | loss: 0.1, acc=0.9``."""
    position = 0
    while position < len(line):
        found = _PAIR.match(line, position) or _COUNTER.match(line, position)
        if found:
            if found[1] in _ERRORS or _OTHER_ERROR.fullmatch(found[1]):
                raise _OtherTextError
            yield found[1], found[2]
        else:
            found = _BESIDE.match(line, position)
        if not found:
            raise _OtherTextError
        position = found.end()


def _entries(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``{'loss': 0.1, "acc": 0.9}``."""
    position = 1
    while position < len(line):
        found = _ENTRY.match(line, position)
        if not found:
            raise _OtherTextError
        yield found[2], found[3]
        position = found.end()


def _number(text: str) -> Number:
    try:
        return int(text)
    except ValueError:
        return float(text)


def metrics_text(metrics: dict[str, Number]) -> str:
    """``loss=0.12 acc=0.9``."""
    return " ".join(f"{name}={number_text(number)}" for name, number in metrics.items())


def number_text(number: Number) -> str:
    """*number* in at most ten characters or so."""
    return str(number) if isinstance(number, int) and abs(number) < 10**9 else f"{number:.5g}"

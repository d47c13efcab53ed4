"""Python config files: read, run under the values of the configs above them, understood."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import CodeType

from kohaku_ast.config.bare import read_bare
from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.execute import execute
from kohaku_ast.config.generated import read_made
from kohaku_ast.config.loading import Loading
from kohaku_ast.config.own_code import OwnCode
from kohaku_ast.config.said import Said
from kohaku_ast.config.text_values import TextValueError, parse_cell
from kohaku_ast.errors import ConfigError, KogineError, RefusedTarget
from kohaku_ast.transform.find.source import decode
from kohaku_ast.transform.program.bound_program import BoundProgram
from kohaku_ast.transform.program.load import load_program
from kohaku_ast.transform.program.program import Program, Request


def read_python_file(loading: Loading) -> Said:
    """What the file says by itself, after its code has run."""
    data = read_config(loading.path)
    code = _understood(data, loading)
    execute(loading, _codes(data, code, loading))
    return read_made(loading) or read_bare(loading, code)


def read_config(path: str) -> bytes:
    """The bytes of the config file at *path*; raises ConfigError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"can't open config {path!r}: {error.strerror}") from error


def _understood(data: bytes, loading: Loading) -> OwnCode:
    try:
        text = decode(data, loading.file).text
        compile(text, loading.file, "exec", dont_inherit=True)
        return OwnCode.of(text, loading.file)
    except (SyntaxError, ValueError, RecursionError, KogineError) as error:
        shown = "".join(traceback.format_exception_only(type(error), error)).rstrip()
        raise ConfigError(f"config {loading.path!r} is not Python:\n{shown}") from error


def _codes(data: bytes, code: OwnCode, loading: Loading) -> list[CodeType]:
    """The file's code, with the values of the configs above it where it defines their names."""
    names = [name for name in loading.above if name in code.defined or name in code.imported]
    if not names:
        return [compile(data, loading.file, "exec", dont_inherit=True)]
    loading.consumed.update(set(names) & code.read)
    try:
        program = _program(data, names, code, loading)
    except KogineError as error:
        raise ConfigError(f"config {loading.path!r} cannot be inherited from: {error}") from error
    targets = {meant.target for meant in program.meant if meant}
    values = _values(program, loading)
    return BoundProgram(program, {name: values[name] for name in targets}).codes()


def _program(data: bytes, names: Iterable[str], code: OwnCode, loading: Loading) -> Program:
    targets = tuple((name, is_cell(loading.above[name]), True) for name in names)
    try:
        return load_program(data, loading.file, Request(targets))
    except RefusedTarget:
        # A name that only a loop assigns and nothing reads: no other value depends on it.
        rest = [name for name in names if name in code.read or not _is_refused(data, name, loading)]
        targets = tuple(one for one in targets if one[0] in rest)
        return load_program(data, loading.file, Request(targets))


def _is_refused(data: bytes, name: str, loading: Loading) -> bool:
    try:
        load_program(data, loading.file, Request(((name, False, True),)))
    except RefusedTarget:
        return True
    return False


def _values(program: Program, loading: Loading) -> dict[str, object]:
    """Target -> value; a cell is read as the type that it has in this file."""
    values = {}
    for meant in program.meant:
        if meant is None:
            continue
        value = loading.above[meant.target]
        try:
            values[meant.target] = parse_cell(value, meant.reading) if is_cell(value) else value
        except TextValueError as error:
            raise ConfigError(f"{loading.path}:{meant.line}: {meant.target}: {error}") from None
    return values

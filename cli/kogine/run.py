"""``kogine run``: run a script with other values. On the warm path."""

from __future__ import annotations

import os
import sys

from kogine.overrides import merge_configs, of_command_line, of_config
from kogine.reader import Arguments, read

from kohaku_ast.errors import SourceError, UsageError
from kohaku_ast.run.children import hand_on
from kohaku_ast.run.entry import added_names, entry_call
from kohaku_ast.run.hidden import hidden
from kohaku_ast.run.launch import Launch, plain_python
from kohaku_ast.run.prepared import prepare
from kohaku_ast.run.process import become, warn_at_end, warn_compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


def run(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back runs the script."""
    read_ = read(arguments)
    if not read_.script:
        raise UsageError("no script given: kogine run SCRIPT [TARGET=VALUE ...] [-- ARGS ...]")
    if "--inspect" in read_.flags:
        from kogine.inspect import inspect

        return inspect(read_)
    return _start(read_)


def _start(read_: Arguments) -> Callable[[], int]:
    path, function = split_function(read_.script)
    launch = Launch(path, read_.argv)
    entrypoint = read_.value("--entrypoint") or function
    # The script may mark its entrypoint with `@kohaku_ast.entrypoint`.
    is_plain = not (read_.sets or read_.values or entrypoint or b"kohaku_ast" in launch.data)
    return _unchanged(launch) if is_plain else _changed(launch, read_, entrypoint)


def split_function(script: str) -> tuple[str, str]:
    """``"train.py:main"`` -> ``("train.py", "main")``."""
    path, colon, name = script.rpartition(":")
    if colon and name.isidentifier() and not os.path.exists(script) and os.path.exists(path):
        return path, name
    return script, ""


def _unchanged(launch: Launch) -> Callable[[], int]:
    """The script as it is: the compiler sees the same bytes as under plain Python."""

    @hidden
    def start() -> int:
        try:
            code = _compiled(launch)
        except (SyntaxError, ValueError):
            plain_python(launch)
            raise
        become(launch, [code], {})
        return 0

    return start


def _compiled(launch: Launch) -> CodeType:
    """Raises SyntaxError or ValueError if Python does not run the script either."""
    if not is_utf8(launch.data):
        raise UnicodeError
    return compile(launch.data, launch.filename, "exec", dont_inherit=True)


def is_utf8(data: bytes) -> bool:
    """Whether *data* decodes, or says that it is something else: ``compile`` overlooks bad bytes
    in comments, ``python script.py`` does not.
    """
    if data.isascii() or b"coding" in data[:200]:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _changed(launch: Launch, read_: Arguments, entrypoint: str) -> Callable[[], int]:
    """The script with overrides in force, or started in another way."""
    configs = read_.values.get("--config", [])
    config = merge_configs(configs)
    args, kwargs = (config.args, config.kwargs) if config else ((), {})
    as_is = "--as-is" in read_.flags
    overrides = [*of_config(config, configs), *of_command_line(read_)]
    try:
        prepared = prepare(launch, overrides, args, kwargs, entrypoint, as_is=as_is)
    except (SyntaxError, ValueError, SourceError) as error:
        return _mistaken(launch, error)
    names = added_names(read_.values.get("--add", []), config.new_globals if config else {})
    if config and config.argv and not read_.argv:
        launch.argv[1:] = config.argv

    @hidden
    def start() -> int:
        try:
            warn_compiler(prepared.program)
        except Warning:  # made an error by -W: Python refuses the script
            plain_python(launch)
        warn_at_end(prepared)
        hand_on(prepared)
        name = prepared.program.entry_name
        last = entry_call(name, args, kwargs) if name else None
        codes = prepared.given.codes("module") if name else prepared.given.codes()
        become(launch, codes, names, last)
        return 0

    return start


def _mistaken(launch: Launch, error: Exception) -> Callable[[], int]:
    """Python's own words for a script with a mistake: an edited one would have it too."""

    def start() -> int:
        plain_python(launch)
        return 1

    try:
        _compiled(launch)
    except (SyntaxError, ValueError):
        return start
    raise error

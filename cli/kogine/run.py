"""``kogine run``: run a script with other values. On the warm path."""

from __future__ import annotations

import os
import sys

from kogine.reader import Arguments, read

from kohaku_ast.errors import UsageError
from kohaku_ast.run.entry import added_names, entry_call
from kohaku_ast.run.launch import Launch, plain_python
from kohaku_ast.run.override import Override
from kohaku_ast.run.prepare import bind, load_program, make_request
from kohaku_ast.run.process import become, warn_at_end, warn_compiler
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.config.config import Config

COMMAND_LINE = 1_000  # the rank above all config files


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

    def start() -> int:
        try:
            if not is_utf8(launch.data):
                raise UnicodeError
            code = compile(launch.data, launch.filename, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            plain_python(launch)
            raise
        become(launch, [("module", code)], {})
        return 0

    return start


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
    config = _configs(read_.values.get("--config", []))
    args, kwargs = (config.args, config.kwargs) if config else ((), {})
    as_is = "--as-is" in read_.flags
    overrides = [*_of_config(config), *_of_command_line(read_)]
    request = make_request(overrides, args, kwargs, entrypoint, as_is=as_is)
    try:
        program = load_program(launch.data, launch.filename, request, VERSION)
    except SyntaxError as error:
        sys.__excepthook__(type(error), error, None)
        return lambda: 2
    given = bind(program, request, overrides, args, kwargs, as_is)
    names = added_names(read_.values.get("--add", []), config.new_globals if config else {})
    if config and config.argv and not read_.argv:
        launch.argv[1:] = config.argv

    def start() -> int:
        warn_compiler(program)
        warn_at_end(given, launch.filename)
        last = entry_call(program.entry_name, args, kwargs) if program.entry_name else None
        become(launch, given.segments(), names, last)
        return 0

    return start


def _configs(paths: list[str]) -> Config | None:
    """The config files as one, later ones over earlier ones."""
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.load import load_config

    return functools.reduce(operator.or_, map(load_config, paths))


def _of_config(config: Config | None) -> list[Override]:
    if config is None:
        return []
    return [
        Override(target, value, config.origins.get(target, "Config"), 0,
                 optional=target in config.optional)
        for target, value in config.globals_dict.items()
    ]  # fmt: skip


def _of_command_line(read_: Arguments) -> list[Override]:
    return [
        Override(target, text, "command line", COMMAND_LINE, is_text=True)
        for target, text in read_.sets
    ]

"""``kogine run`` with overrides, or with another start. On the warm path."""

from __future__ import annotations

from kogine.overrides import merge_configs, of_command_line, of_config
from kogine.reader import Arguments

from kohaku_ast.errors import SourceError
from kohaku_ast.runner.children import hand_on
from kohaku_ast.runner.entry import added_names, entry_call
from kohaku_ast.runner.hidden import hidden
from kohaku_ast.runner.launch import Launch, explain, plain_python
from kohaku_ast.runner.prepared import prepare
from kohaku_ast.runner.process import become, warn_at_end, warn_compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def changed(launch: Launch, read_: Arguments, entrypoint: str) -> Callable[[], int]:
    """The script with overrides in force, or started in another way."""
    configs = read_.values.get("--config", [])
    config = merge_configs(configs)
    args, kwargs = (config.args, config.kwargs) if config else ((), {})
    as_is = "--as-is" in read_.flags
    overrides = [*of_config(config, configs), *of_command_line(read_)]
    names = added_names(read_.values.get("--add", []), config.new_globals if config else {})
    try:
        prepared = prepare(launch, overrides, args, kwargs, entrypoint, as_is=as_is, added=names)
    except (SyntaxError, ValueError, SourceError) as error:
        return _mistaken(launch, error)
    if config and config.argv and not read_.argv:
        launch.argv[1:] = config.argv

    @hidden
    def start() -> int:
        try:
            warn_compiler(prepared.program)
        except Warning:  # made an error by -W: Python refuses the script
            return plain_python(launch)
        warn_at_end(prepared)
        hand_on(prepared)
        name = prepared.program.entry_name
        last = entry_call(name, args, kwargs) if name else None
        codes = prepared.given.codes("module") if name else prepared.given.codes()
        become(launch, codes, names, last)
        return 0

    return start


def _mistaken(launch: Launch, error: Exception) -> Callable[[], int]:
    """Python's own words for a script that it cannot compile, and the status of a mistake: the
    overrides cannot be applied. Raises *error* if that is not what is wrong.
    """
    try:
        launch.compile()
    except (SyntaxError, ValueError):
        return lambda: explain(launch) and 2
    raise error

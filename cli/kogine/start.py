"""``kogine run``, from a command line that is read to what runs the script. On the warm path."""

from __future__ import annotations

from kogine.report import mistaken

from kohaku_ast.errors import SourceError
from kohaku_ast.frames import hidden
from kohaku_ast.runner.launch import Launch, find_launch, plain_python, split_function
from kohaku_ast.runner.main_module import become

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kogine.script_command import ScriptCommand

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bind import Binder, Bound


_WITHOUT_EFFECT = {"no_record", "no_metrics"}
"""Options that say of a single run what holds anyway."""
_OF_ONE_RUN = {"config", "add", "set", "as_is", "entrypoint", "record", *_WITHOUT_EFFECT}
"""The options that leave a single run one; all others make a flow of it."""


def start(command: ScriptCommand) -> Callable[[], int]:
    """Check everything that can be checked before anything runs; what comes back runs the script.

    Raises KogineError.
    """
    path, function = split_function(command.script)
    launch = find_launch(path, command.argv, command.is_module)
    entrypoint = command.option("entrypoint") or function
    is_changed = command.overrides or entrypoint or command.options.keys() - _WITHOUT_EFFECT
    # The script may mark its entrypoint with `@kohaku_ast.entrypoint`.
    if is_changed or b"kohaku_ast" in launch.data:
        return _start_changed(launch, command, entrypoint)
    return _start_unchanged(launch)


def _start_unchanged(launch: Launch) -> Callable[[], int]:
    """The script as it is: the compiler sees the same bytes as under plain Python."""

    @hidden
    def run() -> int:
        try:
            code = launch.compile()
        except (SyntaxError, ValueError):
            return plain_python(launch)
        become(launch, [code], {})
        return 0

    return run


def _start_changed(
    launch: Launch, command: ScriptCommand, entrypoint: str
) -> Callable[[], int]:  # fmt: skip
    """The script with overrides in force, or started in another way, or many times."""
    config = load_configs(command.config_files, is_json="json" in command.options)
    # By its name: nothing of sweeps is imported for a single run.
    if type(config).__name__ == "Sweep" or command.options.keys() - _OF_ONE_RUN:
        from kogine.sweep import sweep

        return sweep(launch, command, entrypoint, config)
    is_recorded = "record" in command.options and "no_record" not in command.options
    try:
        binder = binder_of(launch, command, entrypoint, capture=is_recorded)
        _refuse_lost(command, binder)
        bound = binder.bind(config)  # type: ignore[arg-type]
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    if is_recorded:
        from kogine.run import recorded

        return recorded(binder, bound)
    return _start_bound(bound)


def _refuse_lost(command: ScriptCommand, binder: Binder) -> None:
    if command.overrides and command.argv:
        from kogine.sort_words import refuse_lost_overrides

        refuse_lost_overrides(command, command.script, binder)


def _start_bound(bound: Bound) -> Callable[[], int]:
    from kohaku_ast.runner.children import hand_on  # a plain run does without
    from kohaku_ast.runner.main_module import warn_at_end, warn_compiler

    launch = bound.launch
    launch.argv[1:] = bound.argv[1:]

    @hidden
    def run() -> int:
        try:
            warn_compiler(bound.program)
        except Warning:  # made an error by -W: Python refuses the script
            return plain_python(launch)
        warn_at_end(bound.prepared)
        hand_on(bound.prepared)
        become(launch, bound.codes(), bound.anew(bound.names), bound.last())
        return 0

    return run


def load_configs(paths: Sequence[str], *, is_json: bool = False) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones; None without any.

    With *is_json* what a config file prints goes to standard error: it is no JSON.
    """
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.config_files import load

    if not is_json:
        return functools.reduce(operator.or_, map(load, paths))
    from kohaku_ast.flow.report import only_json

    with only_json():
        return load_configs(paths)


def merge_configs(paths: Sequence[str], command: str) -> Config | None:
    """As ``load_configs``, for a *command* that takes one Config; raises ConfigError else."""
    found = load_configs(paths)
    from kohaku_ast.config.config import Config

    if found is None or isinstance(found, Config):
        return found
    from kohaku_ast.errors import ConfigError

    raise ConfigError(
        f"{' '.join(paths)}: describes a sweep ({found!r}), and kogine {command} takes one Config"
    )


def binder_of(
    launch: Launch, command: ScriptCommand, entrypoint: str, *, capture: bool = False
) -> Binder:
    """What binds the script to Configs, with what the command line itself says in force."""
    from kohaku_ast.runner.bind import Binder

    return Binder(
        launch,
        # Of its own: what binds several scripts marks which of them may lack a target.
        [one.aimed_at(one.target) for one in command.overrides],
        entrypoint,
        added=command.option("add", ()),
        capture=capture,
        as_is=command.option("as_is", False),
    )

"""What a command line and its config files give. On the warm path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kogine.script_command import ScriptCommand

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bind import Binder
    from kohaku_ast.runner.launch import Launch


def load_configs(paths: Sequence[str], *, is_json: bool = False) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones; None without any.

    With *is_json* what a config file prints goes to standard error: it is no JSON.
    """
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.load import load

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

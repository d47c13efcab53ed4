"""What a command line and its config files give. On the warm path."""

from __future__ import annotations

from kohaku_ast.runner.override import COMMAND_LINE, Override

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.reader import Arguments

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bound import Binder
    from kohaku_ast.runner.launch import Launch


def load_configs(paths: list[str]) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones."""
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.load import load

    return functools.reduce(operator.or_, map(load, paths))


def merge_configs(paths: list[str], command: str) -> Config | None:
    """As ``load_configs``, for a *command* that takes one Config; raises ConfigError else."""
    found = load_configs(paths)
    from kohaku_ast.config.config import Config

    if found is None or isinstance(found, Config):
        return found
    from kohaku_ast.errors import ConfigError

    raise ConfigError(
        f"{' '.join(paths)}: describes a sweep ({found!r}), and kogine {command} takes one Config"
    )


def of_command_line(read_: Arguments) -> list[Override]:
    """What is written as ``TARGET=VALUE``."""
    return [
        Override(target, text, "command line", COMMAND_LINE, is_text=True)
        for target, text in read_.sets
    ]


def binder_of(
    launch: Launch, read_: Arguments, entrypoint: str, *, capture: bool = False
) -> Binder:
    """What binds the script to Configs, with what the command line itself says in force."""
    from kohaku_ast.runner.bound import Binder

    return Binder(
        launch,
        of_command_line(read_),
        entrypoint,
        added=read_.values.get("--add", []),
        capture=capture,
        as_is="--as-is" in read_.flags,
    )

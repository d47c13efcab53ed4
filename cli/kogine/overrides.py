"""What a command line and its config files give. On the warm path."""

from __future__ import annotations

from kohaku_ast.runner.override import Override

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kogine.reader import Arguments

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bound import Binder
    from kohaku_ast.runner.launch import Launch

COMMAND_LINE = 1_000  # the rank above all config files


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


def rank_of(paths: list[str]) -> Callable[[str], int]:
    """The rank of an origin such as ``cfg.py:12``: of later files it is higher."""
    ranks = {path: rank for rank, path in enumerate(paths)}

    def rank(origin: str) -> int:
        if origin == "command line":
            return COMMAND_LINE
        path, colon, line = origin.rpartition(":")
        return ranks.get(path if colon and line.isdigit() else origin, 0)

    return rank


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
        rank=rank_of(read_.values.get("--config", [])),
        added=read_.values.get("--add", []),
        capture=capture,
        as_is="--as-is" in read_.flags,
    )

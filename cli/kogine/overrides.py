"""The overrides that a command line and its config files give. On the warm path."""

from __future__ import annotations

from kohaku_ast.run.override import Override

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.reader import Arguments

    from kohaku_ast.config.config import Config

COMMAND_LINE = 1_000  # the rank above all config files


def merge_configs(paths: list[str]) -> Config | None:
    """The config files as one, later ones over earlier ones."""
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.load import load_config

    return functools.reduce(operator.or_, map(load_config, paths))


def of_config(config: Config | None) -> list[Override]:
    """What *config* overrides."""
    if config is None:
        return []
    return [
        Override(target, value, config.origins.get(target, "Config"), 0,
                 optional=target in config.optional)
        for target, value in config.globals_dict.items()
    ]  # fmt: skip


def of_command_line(read_: Arguments) -> list[Override]:
    """What is written as ``TARGET=VALUE``."""
    return [
        Override(target, text, "command line", COMMAND_LINE, is_text=True)
        for target, text in read_.sets
    ]

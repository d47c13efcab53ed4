"""The overrides that a command line and its config files give. On the warm path."""

from __future__ import annotations

from kohaku_ast.runner.override import Override

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


def of_config(config: Config | None, paths: list[str]) -> list[Override]:
    """What *config* overrides, made of the files at *paths*: of two targets of one parameter
    that of the later file wins.
    """
    if config is None:
        return []
    ranks = {path: rank for rank, path in enumerate(paths)}
    origins = {target: config.origins.get(target, "Config") for target in config.globals_dict}
    return [
        Override(target, value, origins[target], ranks.get(origins[target], 0),
                 optional=target in config.optional)
        for target, value in config.globals_dict.items()
    ]  # fmt: skip


def of_command_line(read_: Arguments) -> list[Override]:
    """What is written as ``TARGET=VALUE``."""
    return [
        Override(target, text, "command line", COMMAND_LINE, is_text=True)
        for target, text in read_.sets
    ]

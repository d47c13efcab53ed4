"""What a command line asks of its scripts. On the warm path: no dataclass, no click."""

from __future__ import annotations

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from kohaku_ast.runner.overrides import Override

NO_OPTIONS: Mapping[str, Any] = {}


class ScriptCommand:
    """One command line with a script, taken apart; nobody changes it."""

    __slots__ = ("argv", "axis_order", "is_module", "options", "overrides", "scripts")

    def __init__(
        self,
        scripts: Sequence[str],
        overrides: Sequence[Override] = (),
        argv: Sequence[str] = (),
        is_module: bool = False,
        options: Mapping[str, Any] = NO_OPTIONS,
        axis_order: Sequence[str] = (),
    ) -> None:
        #: The scripts as the user wrote them; one, but for a command that takes several.
        self.scripts = scripts
        #: What is written as TARGET=VALUE, in order.
        self.overrides = overrides
        #: The script's own arguments.
        self.argv = argv
        #: Whether the script is the name of a module, as for ``python -m``.
        self.is_module = is_module
        #: The parsed value of each option that was given, by its parameter's name: ``dry_run``.
        self.options = options
        #: ``sweep`` and ``trials`` in the order in which they were given: axes multiply in it.
        self.axis_order = axis_order

    @property
    def script(self) -> str:
        """The first script."""
        return self.scripts[0]

    def option(self, name: str, otherwise: Any = None) -> Any:
        """The parsed value of the option *name*; *otherwise* if it was not given."""
        return self.options.get(name, otherwise)

    @property
    def config_files(self) -> Sequence[str]:
        """The files of ``--config``, later ones over earlier ones."""
        files: Sequence[str] = self.options.get("config", ())
        return files


def split_override(word: str) -> tuple[str, str]:
    """``"cfg.opt.name=sgd"`` -> ``("cfg.opt.name", "sgd")``: the first ``=`` outside brackets.

    Raises UsageError for a word without one.
    """
    depth = 0
    for position, character in enumerate(word):
        depth += (character in "([") - (character in ")]")
        if character == "=" and depth == 0:
            return word[:position], word[position + 1 :]
    raise UsageError(f"{word!r} is not TARGET=VALUE")


def typed_override(word: str, *, as_is: bool = False) -> Override:
    """The Override that a user typed as TARGET=VALUE; raises UsageError for another *word*."""
    from kohaku_ast.runner.overrides import COMMAND_LINE, Override  # a plain run does without

    target, text = split_override(word)
    return Override(target, text, "command line", COMMAND_LINE, is_text=True, as_is=as_is)


def read_without_options(arguments: Sequence[str]) -> ScriptCommand | None:
    """``[-m] SCRIPT [TARGET=VALUE ...] [-- ARGS ...]``, which needs no parser; else None.

    Click would leave ``threading`` in the process of a module, which tracers see at its end. Raises
    UsageError for brackets that do not pair.
    """
    if "--" in arguments:
        cut = list(arguments).index("--")
        arguments, argv = arguments[:cut], arguments[cut + 1 :]
    else:
        argv = ()
    is_module = arguments[:1] == ["-m"]
    script, *rest = arguments[is_module:] or ("--",)
    if not _is_plain(script) or not all(_is_plain(word) and "=" in word for word in rest):
        return None
    return ScriptCommand((script,), [typed_override(word) for word in rest], argv, is_module)


def _is_plain(word: str) -> bool:
    return word == "-" or not word.startswith("-")

"""A command line with a script, and the first steps of each command that takes one: find or inspect
the script, load the configs, bind. On the warm path: no dataclass, no click.

State of this process: ``_READ``, the scripts that can be read only once.
"""

from __future__ import annotations

from kohaku_ast.errors import UsageError
from kohaku_ast.runner.launch import find_launch, is_read_once, split_function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bind import Binder
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.outcome import Outcome
    from kohaku_ast.runner.overrides import Override
    from kohaku_ast.transform.find.inspection import Inspection

NO_OPTIONS: Mapping[str, Any] = {}


class ScriptCommand:
    """One command line with a script, parsed; nobody changes it."""

    __slots__ = ("argv", "axis_order", "is_module", "options", "overrides", "scripts", "words")

    def __init__(
        self,
        scripts: Sequence[str],
        overrides: Sequence[Override] = (),
        argv: Sequence[str] = (),
        is_module: bool = False,
        options: Mapping[str, Any] = NO_OPTIONS,
        axis_order: Sequence[str] = (),
        words: tuple[str, Sequence[str]] = ("kogine run", ()),
    ) -> None:
        #: The scripts as the user wrote them; several for a command that takes several.
        self.scripts = scripts
        #: The overrides that are written as TARGET=VALUE, in order.
        self.overrides = overrides
        #: The script's own arguments.
        self.argv = argv
        #: Whether the script is the name of a module, as for ``python -m``.
        self.is_module = is_module
        #: The parsed value of each option that was given, by its parameter's name: ``dry_run``.
        self.options = options
        #: ``sweep`` and ``trials`` in the order of the command line: axes multiply in this order.
        self.axis_order = axis_order
        #: The command, ``kogine workflow parallel``, and the words after it as the user typed them.
        self.words = words

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


def is_assignment(word: str) -> bool:
    """Whether *word* of a command that takes files is TARGET=VALUE, or Hydra's ``~db``."""
    import os  # a run without options does without

    return ("=" in word or word.startswith("~")) and not os.path.exists(word)


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
    """Whether *word* is no option, and not one of the mistypings that ``hints`` explains."""
    return word == "-" or not (word.startswith(("-", "+", "~", "=")) or word.endswith(","))


def find_script(command: ScriptCommand, script: str = "") -> tuple[Launch, str]:
    """*script*, by default the first one of *command*, and the function to call after its module;
    "" for the guard. Raises SourceError if it cannot be read.
    """
    path, function = split_function(script or command.script)
    launch = start_of(path, command.argv, command.is_module)
    return launch, command.option("entrypoint") or function


_READ: dict[str, Launch] = {}
"""Path -> the script as it was read."""


def start_of(path: str, argv: Sequence[str] = (), is_module: bool = False) -> Launch:
    """As ``find_launch``, for the command line: a pipe is read once, for its options and to run."""
    if is_module or not is_read_once(path):
        return find_launch(path, argv, is_module)
    launch = _read_once(path)
    launch.argv[1:] = argv
    return launch


def _read_once(path: str) -> Launch:
    if path not in _READ:
        _READ[path] = find_launch(path)
    return _READ[path]


def launch_to_read(
    script: str, is_module: bool = False, *, is_unfinished: bool = False
) -> Launch | None:
    """The Launch of *script*; None if *is_unfinished*, and it can be read only once."""
    from kohaku_ast.runner.launch import find_to_read

    path = split_function(script)[0]
    found = find_to_read(path, is_module)
    return _read_once(path) if found is None and (not is_unfinished or path in _READ) else found


def load_configs(
    paths: Sequence[str],
    *,
    previous: Mapping[str, Outcome] | None = None,
    is_json: bool = False,
) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones; None without any.

    *previous* has the Outcomes of the scripts above, for ``config_gen``. With *is_json* the output
    of a config file goes to standard error: it is no JSON.
    """
    if not paths:
        return None
    import functools
    import operator

    from kohaku_ast.config.config_files import load

    if not is_json:
        return functools.reduce(operator.or_, [load(one, previous=previous) for one in paths])
    from kohaku_ast.flow.report import only_json

    with only_json():
        return load_configs(paths, previous=previous)


def merge_configs(paths: Sequence[str], command: str) -> Config | None:
    """As ``load_configs``, for a *command* that takes one Config; ConfigError for a sweep."""
    found = load_configs(paths)
    from kohaku_ast.config.config import Config

    if found is None or isinstance(found, Config):
        return found
    from kohaku_ast.errors import ConfigError

    raise ConfigError(
        f"{' '.join(paths)}: describes a sweep ({found!r}), and kogine {command} takes one Config"
    )


def own_axes(command: ScriptCommand) -> Sweep:
    """The axes of the command line: ``--sweep`` and ``--trials`` multiply in their order, ``--zip``
    pairs.
    """
    from kohaku_ast.config.axis_grammar import parse_axis
    from kohaku_ast.config.sweep import Sweep

    axes = Sweep()
    waiting = {name: iter(command.option(name, ())) for name in ("sweep", "trials")}
    for name in command.axis_order:
        text = next(waiting[name])
        if name == "trials":
            axes = axes * Sweep.from_table(text)
        else:
            axes = axes * Sweep(parse_axis(*split_override(text), "command line"))
    for names in command.option("zip", ()):
        axes = axes.pair(*names)
    return axes


def binder_of(
    launch: Launch, command: ScriptCommand, entrypoint: str, *, capture: bool = False
) -> Binder:
    """The Binder of the script; the values of the command line itself hold for each Config."""
    from kohaku_ast.runner.bind import Binder

    kind = Binder
    if launch.in_kernel:
        from kohaku_ast.runner import executed_notebook

        kind = executed_notebook.ExecutingBinder
    return kind(
        launch,
        # Copies: a command with several scripts marks the targets that one of them may lack.
        [one.aimed_at(one.target) for one in command.overrides],
        entrypoint,
        added=command.option("add", ()),
        capture=capture,
        as_is=command.option("as_is", False),
    )


def inspect_script(script: str, is_module: bool = False) -> Inspection:
    """What can be overridden in *script*, which is only read. Raises SyntaxError, and SourceError
    if it cannot be read.
    """
    from kohaku_ast.transform.find.inspection import inspect_source
    from kohaku_ast.transform.find.source import decode

    launch = start_of(split_function(script)[0], (), is_module)
    return inspect_source(decode(launch.data, launch.filename, launch.path0, launch.package))
